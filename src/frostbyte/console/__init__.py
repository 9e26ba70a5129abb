"""The console: pages and what they load. Pure: a view goes in, HTML comes out.

Who asks and what they may see is decided by the applications (api.data.console, api.control.console), from the same use
cases as the API's.
"""
