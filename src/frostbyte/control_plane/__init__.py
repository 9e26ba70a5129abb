"""What operators need to run many tenants: who they are, whether they may run, how they are reached, what they did.

The control plane never sees a document. What runs on a tenant's host never imports from here.
"""
