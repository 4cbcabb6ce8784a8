"""The guard of the spaces: every statement on a space's table must carry the space.

A statement is looked at once, when it is compiled; each time it runs only its values of the space
are compared with what is open (`portal.tenancy`). All that SQLAlchemy makes comes through here:
queries, what a commit writes, statements on a connection. Only a text that is handed to the driver
as it is cannot be read; against a mistake there PostgreSQL has row level security.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    CTE,
    Alias,
    BindParameter,
    CompoundSelect,
    Delete,
    FromClause,
    Insert,
    Join,
    MetaData,
    Select,
    Table,
    TextClause,
    Update,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ClauseElement, Grouping
from sqlalchemy.sql.selectable import ScalarSelect, SelectBase, SelectStatementGrouping

from portal.errors import OutsideSpace
from portal.tenancy import Reach

SPACE_TABLE = "space"


def space_column(table: Table) -> str | None:
    """Return which column of a table says whose a row is; None for a table of no space."""
    if table.name == SPACE_TABLE:
        return "id"
    return "space_id" if "space_id" in table.c else None


@dataclass(frozen=True)
class Findings:
    """What a statement touches, and where its values of the space stand."""

    tables: frozenset[str]
    """Tables of spaces; none: whatever is open, the statement may run."""
    binds: tuple[str, ...] = ()
    """Parameters that hold a space."""
    lacking: str | None = None
    """The table that is touched without its space."""


class Guard:
    """Looks at statements, and remembers what it found as long as they stay compiled."""

    def __init__(self, metadata: MetaData) -> None:
        self._metadata = metadata
        self._known: WeakKeyDictionary[Any, Findings] = WeakKeyDictionary()

    def findings(self, compiled: Any) -> Findings:
        """Return what the statement touches."""
        found = self._known.get(compiled)
        if found is None:
            found = self._known[compiled] = _look_at(compiled, self._metadata)
        return found

    def check(self, found: Findings, reach: Reach, context: Any) -> None:
        """Raise OutsideSpace when a statement, run with its parameters, leaves what is open."""
        if not found.tables or reach.is_all:
            return
        if found.lacking is not None:
            raise OutsideSpace(f"a statement on {found.lacking} must carry its space")
        lists: Mapping[str, Iterable[str]] = context._expanded_parameters
        for row in context.compiled_parameters:
            for name in found.binds:
                # A list has become a parameter for each of its values.
                if not reach.holds(row.get(one) for one in lists.get(name, (name,))):
                    raise OutsideSpace(
                        f"a statement on {', '.join(sorted(found.tables))} names a space that was "
                        "not entered"
                    )


def _look_at(compiled: Any, metadata: MetaData) -> Findings:
    statement = compiled.statement
    look = _Look()
    if isinstance(statement, Insert):
        look.insert(statement)
    elif isinstance(statement, Update | Delete):
        look.change(statement)
    elif isinstance(statement, TextClause):
        look.text(statement.text, metadata)
    elif isinstance(statement, ClauseElement):
        look.inside(statement, {})
    binds = {compiled.bind_names.get(bind, bind.key) for bind in look.binds}
    return Findings(frozenset(look.tables), (*binds, *look.columns), look.lacking)


Leaves = dict[FromClause, bool]
"""Tables that a statement reads, and whether they are held to a space."""


class _Look:
    """One walk through a statement."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.binds: list[BindParameter[Any]] = []
        self.columns: list[str] = []
        self.lacking: str | None = None

    # Statements

    def insert(self, statement: Insert, *, is_within: bool = False) -> None:
        """An insert by itself gets its rows with their values; one within another statement names
        them."""
        table: Any = statement.table
        column = space_column(table)
        for part in statement.get_children():
            if part is not table:
                self.inside(part, {})  # what it is made of, and what is written beside it
        if column is None:
            return
        self.tables.add(table.name)
        changed = getattr(statement._post_values_clause, "update_values_to_set", None)
        if table.name == SPACE_TABLE:
            self.lacking = table.name  # it has no id yet: only where all spaces are open
        elif column in _by_name(dict(changed or {})):
            self.lacking = table.name  # a row never moves to another space
        elif statement.select is not None:
            names = statement._select_names or ()
            for query in _queries_of(statement.select):
                given = dict(zip(names, query.selected_columns, strict=False))
                self._given(table, _by_name(given).get(column))
        elif is_within:
            rows: Any = (statement._multi_values or ([statement._values],))[0]
            for row in rows:
                self._given(table, _by_name(row).get(column))
        else:
            count = len(statement._multi_values[0]) if statement._multi_values else 0
            self.columns += [f"{column}_m{place}" for place in range(count)] or [column]

    def _given(self, table: Table, space: Any) -> None:
        """Take what stands for the space of a new row: a parameter, or the space of another row."""
        if isinstance(space, BindParameter):
            self.binds.append(space)
        elif _key_of(space) is None:
            self.lacking = table.name

    def change(self, statement: Update | Delete) -> None:
        table: Any = statement.table
        leaves: Leaves = {table: False}
        for condition in statement._where_criteria:
            leaves.update(dict.fromkeys(_leaves_of(condition), False))
        self._hold(leaves, statement._where_criteria, {})
        column = space_column(table)
        if isinstance(statement, Update) and column in _by_name(statement._values):
            self.lacking = table.name  # a row never moves to another space
        for part in statement.get_children():
            if part is not table:
                self.inside(part, leaves)

    def text(self, sql: str, metadata: MetaData) -> None:
        of_spaces = {table.name for table in metadata.tables.values() if space_column(table)}
        named = of_spaces.intersection(re.findall(r"\w+", sql.lower()))
        self.tables |= named
        self.lacking = min(named, default=None)

    # Their parts

    def inside(self, element: ClauseElement, outer: Leaves) -> None:
        """Look at every query within an element."""
        if isinstance(element, Select):
            self._select(element, outer)
            return
        if isinstance(element, Insert):
            self.insert(element, is_within=True)
            return
        if isinstance(element, Update | Delete):
            self.change(element)
            return
        if isinstance(element, Table):
            return
        for child in element.get_children():
            if isinstance(child, ClauseElement):
                self.inside(child, outer)

    def _select(self, query: Select[Any], outer: Leaves) -> None:
        leaves: Leaves = {}
        conditions: list[Any] = list(query._where_criteria)
        one_sided: list[tuple[FromClause, Any]] = []
        for source in query.get_final_froms():
            for part in _unfold(source):
                if not isinstance(part, Join):
                    leaves[part] = False
                elif part.isouter or part.full:
                    one_sided.append((part.right, part.onclause))
                else:
                    conditions.append(part.onclause)
        # A table that stands further out as well is that one: the query is about its row.
        within = {leaf for leaf in leaves if leaf in outer}
        if len(within) < len(leaves):
            leaves.update({leaf: outer[leaf] for leaf in within})
        self._hold(leaves, conditions, outer, one_sided)
        everything = {**outer, **leaves}
        for leaf in leaves:
            if _table_or_none(leaf) is None:
                self.inside(leaf, {})
        for child in query.get_children():
            if isinstance(child, CTE) and child not in leaves:
                self.inside(child, {})  # one that writes beside the query
            elif isinstance(child, ClauseElement) and not isinstance(child, FromClause):
                self.inside(child, everything)
        for condition in (*conditions, *(on for _, on in one_sided)):
            self.inside(condition, everything)

    def _hold(
        self,
        leaves: Leaves,
        conditions: Iterable[ClauseElement],
        outer: Leaves,
        one_sided: Iterable[tuple[FromClause, ClauseElement]] = (),
    ) -> None:
        """Find out which tables the conditions hold to a space, and note one that none holds."""
        pairs: list[tuple[FromClause, FromClause]] = []
        for each in _conjuncts(conditions):
            self._take(each, leaves, outer, pairs, None)
        for right, onclause in one_sided:
            # An outer join leaves rows of its left side whatever the condition says.
            for each in _conjuncts((onclause,)):
                self._take(each, leaves, outer, pairs, right)
        known = {**outer, **leaves}
        changed = True
        while changed:
            changed = False
            for held, other in pairs:
                if known.get(held) and not known.get(other):
                    known[other] = changed = True
        for leaf in leaves:
            table = _table_or_none(leaf)
            if table is None or space_column(table) is None:
                continue
            self.tables.add(table.name)
            leaves[leaf] = known[leaf]
            if not known[leaf]:
                self.lacking = table.name

    def _take(
        self,
        condition: ClauseElement,
        leaves: Leaves,
        outer: Leaves,
        pairs: list[tuple[FromClause, FromClause]],
        only: FromClause | None,
    ) -> None:
        if not isinstance(condition, BinaryExpression):
            return
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            leaf = _key_of(one)
            if leaf is None or leaf not in leaves or (only is not None and leaf != only):
                continue
            if condition.operator is operators.eq:
                further = _key_of(other)
                if further is not None:
                    pairs.append((further, leaf))
                elif isinstance(other, BindParameter):
                    leaves[leaf] = True
                    self.binds.append(other)
            elif condition.operator is operators.in_op and one is condition.left:
                if isinstance(other, BindParameter):
                    leaves[leaf] = True
                    self.binds.append(other)
                elif _is_of_spaces(other):
                    leaves[leaf] = True  # the query within is looked at by itself


def _conjuncts(conditions: Iterable[Any]) -> Iterator[ClauseElement]:
    for condition in conditions:
        if isinstance(condition, Grouping):
            yield from _conjuncts((condition.element,))
        elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
            yield from _conjuncts(condition.clauses)
        else:
            yield condition


def _unfold(source: Any) -> Iterator[Any]:
    yield source
    if isinstance(source, Join):
        yield from _unfold(source.left)
        yield from _unfold(source.right)


def _leaves_of(element: ClauseElement) -> Iterator[FromClause]:
    """Return the tables of the columns in a condition, those of queries within it left out."""
    if isinstance(element, SelectBase):
        return
    table = getattr(element, "table", None)
    if isinstance(table, FromClause):
        yield table
    for child in element.get_children():
        if isinstance(child, ClauseElement):
            yield from _leaves_of(child)


def _queries_of(query: Any) -> Iterator[Select[Any]]:
    """Return the queries whose rows are put together."""
    while isinstance(query, SelectStatementGrouping):
        query = query.element
    if isinstance(query, CompoundSelect):
        for part in query.selects:
            yield from _queries_of(part)
    else:
        yield query


def _by_name(values: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Return what a statement sets, by the names of the columns."""
    return {getattr(key, "key", key): value for key, value in (values or {}).items()}


def _key_of(element: Any) -> FromClause | None:
    """Return the table of a column that says whose its row is."""
    leaf = getattr(element, "table", None)
    table = _table_or_none(leaf)
    if table is None or element.key != space_column(table):
        return None
    return leaf


def _is_of_spaces(element: Any) -> bool:
    """True for a query that gives spaces."""
    while isinstance(element, SelectStatementGrouping | ScalarSelect | Grouping):
        element = element.element
    if isinstance(element, CompoundSelect):
        return all(_is_of_spaces(part) for part in element.selects)
    if not isinstance(element, Select):
        return False
    columns = list(element.selected_columns)
    return len(columns) == 1 and _key_of(columns[0]) is not None


def _table_or_none(leaf: Any) -> Table | None:
    """Return the table that a part of a query reads, itself or under another name."""
    found = leaf.element if isinstance(leaf, Alias) else leaf
    return found if isinstance(found, Table) else None
