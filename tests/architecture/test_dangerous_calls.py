"""What is never written, or only where a reason stands beside it here: found in the syntax of every module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "pulvinar"

FORBIDDEN = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "compile": "runs text as code",
    "__import__": "imports what a text names",
    "os.system": "goes through a shell",
    "os.popen": "goes through a shell",
    "subprocess.getoutput": "goes through a shell",
    "subprocess.getstatusoutput": "goes through a shell",
    "pickle.load": "makes objects of any kind",
    "pickle.loads": "makes objects of any kind",
    "marshal.loads": "makes objects of any kind",
    "shelve.open": "makes objects of any kind",
    "yaml.load": "makes objects of any kind",
    "yaml.unsafe_load": "makes objects of any kind",
    "yaml.full_load": "makes objects of any kind",
    "ElementTree.parse": "expands entities without end",
    "ElementTree.fromstring": "expands entities without end",
    "ElementTree.iterparse": "expands entities without end",
    "tempfile.mktemp": "names a file that another may make first",
    "hashlib.md5": "is no digest to rely on",
    "hashlib.sha1": "is no digest to rely on",
    "random.random": "can be guessed",
    "random.choice": "can be guessed",
    "random.randint": "can be guessed",
    "uuid.uuid1": "can be guessed",
    "ssl._create_unverified_context": "believes any server",
    "Markup": "writes text as HTML",
    "torch.load": "may make objects of any kind",
    "joblib.load": "may make objects of any kind",
}

ALLOWED = {
    ("compute/engines/dask_engine.py", "pickle.loads"): "from workers of this platform's own cluster, over its TLS",
    ("ingest/anchoring.py", "pickle.loads"): "this process wrote them, into its own scratch folder",
    ("solutions/solution_contract.py", "pickle.loads"): "a test of what it made itself",
    ("ingest/record_file.py", "yaml.load"): "with a loader that makes texts alone, and knows no alias",
    ("ingest/readers/xml_text.py", "ElementTree.fromstring"): "refuses what defines entities before",
    ("catalogue/metadata_formats/ome.py", "ElementTree.fromstring"): "refuses what defines entities before",
    ("solutions/cells/sample_data.py", "ElementTree.parse"): "a sample whose bytes are pinned",
}

SQL_OF_PARTS = {
    "catalogue/asset_search.py": "parts that differ between the databases, all constants of the module",
    "catalogue/nearby.py": "parts that differ between the databases, all constants of the module",
    "catalogue/postings.py": "parts that differ between the databases, all constants of the module",
    "catalogue/word_index.py": "parts that differ between the databases, all constants of the module",
    "catalogue/words_in_postgresql.py": "parts that differ between the databases, all constants of the module",
    "catalogue/words_in_sqlite.py": "parts that differ between the databases, all constants of the module",
    "storage/database.py": "PRAGMA takes no parameters; its words are constants",
}
SQL_CALLS = ("text", "exec_driver_sql", "execute", "literal_column")
SQL_BEGINS = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|DROP|ALTER|PRAGMA)\s")
KEYWORDS = {("shell", True), ("verify", False), ("allow_pickle", True), ("autoescape", False)}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def named(node: ast.expr) -> str:
    """`a.b` of a call of `x.a.b`; "" for what has no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = named(node.value).rpartition(".")[2]
        return f"{before}.{node.attr}"
    return ""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    yield from ((named(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def problems(source: str, place: str) -> list[str]:
    """What is wrong in a module, each with its line."""
    found = []
    for name, call in calls(ast.parse(source)):
        if name in FORBIDDEN and (place, name) not in ALLOWED and not _harmless(name, call):
            found.append(f"{place}:{call.lineno}: {name} {FORBIDDEN[name]}")
        for keyword in call.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if (keyword.arg, value) in KEYWORDS:
                found.append(f"{place}:{call.lineno}: {name}({keyword.arg}={value})")
    if place not in SQL_OF_PARTS:
        found += [f"{place}:{line}: SQL that is put together from texts" for line in sql_of_parts(source)]
    return found


def sql_of_parts(source: str) -> list[int]:
    """The lines on which SQL is put together from texts: in a call that runs it, or by how the text begins."""
    tree = ast.parse(source)
    run = [call.lineno for name, call in calls(tree) if _runs_sql(name) and call.args and _put_together(call.args[0])]
    begun = [
        node.lineno for node in ast.walk(tree) if isinstance(node, ast.expr) and _put_together(node) and _is_sql(node)
    ]
    return sorted({*run, *begun})


def _runs_sql(name: str) -> bool:
    return name.rpartition(".")[2] in SQL_CALLS


def _is_sql(node: ast.expr) -> bool:
    first = next(
        (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)), ""
    )
    return SQL_BEGINS.match(first) is not None


def _harmless(name: str, call: ast.Call) -> bool:
    said = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in ("hashlib.md5", "hashlib.sha1"):
        return isinstance(said.get("usedforsecurity"), ast.Constant) and said["usedforsecurity"].value is False
    return False


def _put_together(node: ast.expr) -> bool:
    """Whether a text is made of others: an f-string with a value in it, a sum, %, or format."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in (node.left, node.right))
    return isinstance(node, ast.Call) and named(node.func).endswith("format")


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_dangerous_is_called(path: Path):
    assert problems(path.read_text("utf-8"), path.relative_to(ROOT).as_posix()) == []


def test_what_is_allowed_is_still_there():
    """An exception that nobody needs any more would let the next one in."""
    for place, name in ALLOWED:
        assert name in {found for found, _ in calls(ast.parse((ROOT / place).read_text("utf-8")))}, (place, name)
    for place in SQL_OF_PARTS:
        assert sql_of_parts((ROOT / place).read_text("utf-8")), place


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "import os; os.system('ls')",
        "subprocess.run('ls', shell=True)",
        "pickle.loads(data)",
        "yaml.load(text, Loader)",
        "session.execute(text(f'SELECT * FROM a WHERE b = {c}'))",
        "session.execute('SELECT ' + name)",
        "session.execute(text('SELECT %s' % name))",
        "session.execute(text('SELECT {}'.format(name)))",
        "statement = f'SELECT a FROM {table}'",
        "httpx.get(url, verify=False)",
        "np.load(path, allow_pickle=True)",
        "hashlib.md5(data)",
        "Environment(autoescape=False)",
    ],
)
def test_what_is_dangerous_is_found(source: str):
    assert problems(source, "made_up.py")


@pytest.mark.parametrize(
    "source",
    [
        "session.execute(text('SELECT 1'))",
        "np.load(path, allow_pickle=False)",
        "text(f'plain')",
        "net.eval().to(x)",
        "subprocess.run(['ls'])",
    ],
)
def test_what_is_harmless_is_not(source: str):
    assert problems(source, "made_up.py") == []
