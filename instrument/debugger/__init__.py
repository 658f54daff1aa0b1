"""The local debugger: what an application sends, checked against what it declares, in a page and in the terminal.

The extra `instrument-analytics[debug]`.
"""
