"""What code says, the same on every Python: syntax trees without words about it."""

from __future__ import annotations

import ast
import linecache
from types import CodeType

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
UNSAID = ("ctx", "kind", "type_comment")  # of a syntax tree: what its other parts say already, and notes


def plain(node: object) -> object:
    """Return a syntax tree as nested tuples, without docstrings, and without what some Python versions leave out."""
    if isinstance(node, list):
        return [plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, []) and name not in UNSAID}
    if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    return (type(node).__name__, *((name, plain(value)) for name, value in fields.items()))


def source_tree(code: CodeType) -> tuple:
    """Return the syntax tree of a function, or the names that it uses where its source is not at hand."""
    places = [place for place in code.co_positions() if None not in place and place[2] < place[3]]
    try:
        nodes = ast.walk(ast.parse("".join(linecache.getlines(code.co_filename))))
    except SyntaxError:  # a notebook's cell with a magic
        nodes = ()
    found = [node for node in nodes if isinstance(node, FUNCTIONS)
             and getattr(node, "name", "<lambda>") == code.co_name
             and code.co_firstlineno in (node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ())))
             and all((node.lineno, node.col_offset) <= (line, column) and (end_line, end_column) <= end(node)
                     for line, end_line, column, end_column in places)]
    # several lambdas may begin on one line, one within another: the innermost that holds all of the code is it
    return plain(min(found, key=end)) if found else (code.co_names, code.co_varnames)


def end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Return line and column where a node ends."""
    return node.end_lineno, node.end_col_offset
