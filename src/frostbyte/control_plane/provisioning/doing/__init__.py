"""How each action of a plan is found, done, verified and undone. One module for each sort of thing that is changed.

The engine knows none of them by name: `table.doings` gives it one for every action.
"""
