"""Checkpoints: the whole lab as it is at one moment, kept beside it, and put back at a word.

What a node keeps goes to a store (`store`): a folder of its engine's volume (`copies`), or a snapshot of the
virtual machine (`snapshots`). What makes these one checkpoint is its manifest on the host, written last
(`shelf`). Nothing of a checkpoint is ever written again.
"""
