"""The whole flow: each function here is a job from end to end, and only here the parts are wired together.

Each command imports the module of its job, so that none waits for those of the others.
"""
