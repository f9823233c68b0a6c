"""Imports run one way. Every import of every module is read, and held against the tables below."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tocsin.notify.integrations.registry import NAMES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"

LAYERS: dict[str, frozenset[str]] = {
    # package: what of ours it may import besides itself; the longest matching prefix counts
    "tocsin": frozenset(),
    "tocsin.errors": frozenset(),
    "tocsin.text": frozenset(),
    "tocsin.sources": frozenset(),
    "tocsin.files": frozenset(),
    "tocsin.bounded": frozenset(),
    "tocsin.machine": frozenset(),
    "tocsin.aio": frozenset({"tocsin.errors", "tocsin.machine"}),
    "tocsin.tls": frozenset({"tocsin.files", "tocsin.errors", "tocsin.text"}),
    "tocsin.gossip": frozenset(
        {
            "tocsin.errors",
            "tocsin.text",
            "tocsin.sources",
            "tocsin.aio",
            "tocsin.bounded",
            "tocsin.tls",
            "tocsin.gossip",
        }
    ),
    "tocsin.gossip.address": frozenset({"tocsin.errors"}),
    "tocsin.gossip.config": frozenset({"tocsin.errors", "tocsin.gossip.profiles"}),
    "tocsin.gossip.profiles": frozenset(),
    "tocsin.gossip.peer": frozenset({"tocsin.sources"}),
    "tocsin.gossip.wire": frozenset({"tocsin.errors", "tocsin.gossip.address", "tocsin.gossip.config"}),
    "tocsin.gossip.core": frozenset(
        {
            "tocsin.errors",
            "tocsin.bounded",
            "tocsin.sources",
            "tocsin.gossip.address",
            "tocsin.gossip.config",
            "tocsin.gossip.peer",
            "tocsin.gossip.wire",
        }
    ),
    "tocsin.gossip.transport": frozenset(
        {
            "tocsin.errors",
            "tocsin.text",
            "tocsin.sources",
            "tocsin.aio",
            "tocsin.bounded",
            "tocsin.tls",
            "tocsin.gossip.address",
            "tocsin.gossip.peer",
            "tocsin.gossip.wire",
        }
    ),
    "tocsin.alerting": frozenset({"tocsin.errors", "tocsin.bounded"}),
    "tocsin.config": frozenset({"tocsin.files", "tocsin.errors", "tocsin.text", "tocsin.alerting"}),
    "tocsin.notify": frozenset(
        {
            "tocsin",
            "tocsin.files",
            "tocsin.errors",
            "tocsin.text",
            "tocsin.tls",
            "tocsin.alerting",
            "tocsin.config",
            "tocsin.gotemplate",
        }
    ),
    "tocsin.certificates": frozenset({"tocsin.errors"}),
    "tocsin.gotemplate": frozenset(),
    "tocsin.models": frozenset(),
    "simulation": frozenset({"tocsin.errors", "tocsin.gossip", "tocsin.alerting"}),
    "tocsin.node": frozenset(
        {
            "tocsin",
            "tocsin.files",
            "tocsin.errors",
            "tocsin.text",
            "tocsin.sources",
            "tocsin.aio",
            "tocsin.bounded",
            "tocsin.tls",
            "tocsin.gossip",
            "tocsin.alerting",
            "tocsin.config",
            "tocsin.notify",
            "tocsin.models",
        }
    ),
    "tocsin.client": frozenset(
        {
            "tocsin",
            "tocsin.errors",
            "tocsin.text",
            "tocsin.tls",
            "tocsin.gossip",
            "tocsin.alerting",
            "tocsin.gotemplate",
            "tocsin.config",
            "tocsin.notify",
            "tocsin.node",
            "tocsin.models",
        }
    ),
    "tocsin.cli": frozenset(
        {
            "tocsin",
            "tocsin.errors",
            "tocsin.text",
            "tocsin.tls",
            "tocsin.client",
            "tocsin.node",
            "tocsin.models",
            "tocsin.certificates",
            "tocsin.alerting",
            "tocsin.config",
            "tocsin.notify",
        }
    ),
}

EVERYWHERE = "tocsin.dataclass"
"""Stands for a module of the standard library, and imports nothing of ours."""

KNOW_BOTH = (
    "tocsin.node.cluster",
    "tocsin.node.app",
    "tocsin.node.nodestatus",
    "tocsin.node.config.peers",
    "tocsin.node.config.profile",
)
"""Of the node: the cluster, what wires it together, and what is configured of its peers."""

PURE = (
    "tocsin.bounded",
    "tocsin.gossip.wire",
    "tocsin.gossip.core",
    "tocsin.gossip.discovery.policy",
    "tocsin.gossip.discovery.sources",
    "tocsin.gossip.transport.mux",
    "tocsin.gossip.transport.dtls.admission",
    "tocsin.gossip.transport.dtls.association",
    "tocsin.gossip.transport.dtls.cookies",
    "tocsin.gossip.transport.dtls.envelope",
    "tocsin.gossip.transport.dtls.incoming",
    "tocsin.gossip.transport.dtls.outgoing",
    "tocsin.gossip.transport.dtls.records",
    "tocsin.gossip.transport.dtls.table",
    "tocsin.gossip.transport.dtls.verification",
    "tocsin.gossip.transport.udp.shares",
    "tocsin.alerting",
    "tocsin.gotemplate",
    "tocsin.config",
    "tocsin.models",
    "tocsin.notify.integrations.proxies",
    "tocsin.notify.integrations.redirects",
    "tocsin.notify.integrations.statistics",
    "tocsin.notify.integrations.url",
    "simulation",
)
IMPURE_MODULES = frozenset({"asyncio", "socket", "ssl", "time", "os", "threading", "subprocess", "selectors"})
IMPURE_WITH_REASON = {
    ("tocsin.gossip.wire.keyring", "os"): "nonces must come from the system, never from a seed",
    ("tocsin.gotemplate.gotime.zones", "time"): "what the local zone is, is known to the system alone",
    ("tocsin.gotemplate.gotime.zones", "os"): "and what it is called, to the variable TZ",
}
IMPURE_CALLS = frozenset({"now", "utcnow", "today"})

THIRD_PARTY: dict[str, frozenset[str]] = {
    "tocsin": frozenset(),
    "tocsin.tls": frozenset({"cryptography"}),
    "tocsin.gossip": frozenset({"msgpack", "cryptography"}),
    "tocsin.gossip.discovery": frozenset({"dns"}),
    "tocsin.gossip.testing.plugin": frozenset({"pytest"}),
    "tocsin.gossip.transport.dtls": frozenset({"cryptography"}),
    "tocsin.gossip.transport.dtls.openssl": frozenset({"OpenSSL"}),
    "tocsin.models": frozenset({"msgspec"}),
    "tocsin.certificates": frozenset({"cryptography"}),
    "tocsin.alerting": frozenset({"google", "msgspec", "re2", "xxhash"}),
    "simulation": frozenset(),
    "tocsin.gotemplate": frozenset(),
    "tocsin.config": frozenset({"yaml"}),
    "tocsin.notify": frozenset({"re2", "yaml"}),
    "tocsin.notify.integrations": frozenset({"httpcore", "httptools", "h11", "cryptography", "aiosmtplib"}),
    "tocsin.node": frozenset(
        {
            "yaml",
            "msgspec",
            "starlette",
            "uvicorn",
            "httptools",
            "bcrypt",
            "prometheus_client",
            "cryptography",
            "google",
        }
    ),
    "tocsin.node.tracing": frozenset({"opentelemetry", "grpc", "requests", "urllib3", "starlette"}),
    "tocsin.client": frozenset({"cryptography", "httptools", "msgspec"}),
    "tocsin.cli": frozenset(),
}

LONGEST = 400
MUCH_TOO_LONG = 450
LONG_WITH_REASON: dict[str, str] = {}

GENERATED = re.compile(r"_pb2\.pyi?$")


@dataclass(frozen=True)
class Import:
    """One import statement's module, as a full name."""

    importer: str
    path: Path
    line: int
    module: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@functools.cache
def modules() -> tuple[tuple[str, Path, ast.Module], ...]:
    return tuple(read_modules())


def read_modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in [*sorted(SOURCE.rglob("*.py")), *sorted((ROOT / "simulation").rglob("*.py"))]:
        if GENERATED.search(path.name):
            continue
        base = SOURCE if path.is_relative_to(SOURCE) else ROOT
        parts = path.relative_to(base).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, path, ast.parse(path.read_text())


@functools.cache
def imports() -> tuple[Import, ...]:
    """All; they are read when the first test asks, since every collection of tests loads this module."""
    return tuple(read_imports())


def read_imports() -> Iterator[Import]:
    for name, path, tree in modules():
        package = name if path.stem == "__init__" else name.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(name, path, node.lineno, alias.name, ())
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parents, *([base] if base else [])])
                yield Import(name, path, node.lineno, base, tuple(alias.name for alias in node.names))


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def longest(name: str, table: dict[str, frozenset[str]]) -> str:
    return max((package for package in table if within(name, package)), key=len)


def allowed(importer: str, module: str) -> bool:
    layer = longest(importer, LAYERS)
    own = module == EVERYWHERE or (layer != "tocsin" and within(module, layer))
    return own or any(module == each if each == "tocsin" else within(module, each) for each in LAYERS[layer])


def test_there_is_something_to_read() -> None:
    assert len(imports()) > 100


def test_imports_run_one_way() -> None:
    wrong = [
        each
        for each in imports()
        if within(each.module, "tocsin") and not allowed(each.importer, each.module)
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_the_table_refuses_what_it_should() -> None:
    assert not allowed("tocsin.gossip.core.swim.probe", "tocsin.gossip.transport.base")
    assert not allowed("tocsin.gossip.driver", "tocsin.alerting.alert")
    assert not allowed("tocsin.alerting.dispatch", "tocsin.gossip.wire.packet")
    assert not allowed("tocsin.alerting.dispatch", "tocsin.node.clock")
    assert not allowed("tocsin.node.app", "tocsin.cli.daemon")
    assert allowed("tocsin.gossip.driver", "tocsin.gossip.core.endpoint")
    assert allowed("tocsin.node.app", "tocsin.gossip.driver")


def test_dataclasses_are_those_that_cost_a_start_little() -> None:
    """The standard decorator compiles every method of each class in every process."""
    assert not [
        each
        for each in imports()
        if each.module == "dataclasses"
        and "dataclass" in each.names
        and each.importer != EVERYWHERE
        and within(each.importer, "tocsin")
    ]


def test_only_the_cluster_knows_gossip_and_alerting() -> None:
    wrong = [
        str(each)
        for each in imports()
        if within(each.importer, "tocsin.node")
        and not any(within(each.importer, knows) for knows in KNOW_BOTH)
        and within(each.module, "tocsin.gossip")
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_packages_touch_neither_clock_nor_network_nor_chance() -> None:
    wrong = []
    for each in imports():
        if not any(within(each.importer, package) for package in PURE):
            continue
        top = each.module.partition(".")[0]
        if (each.importer, each.module) in IMPURE_WITH_REASON:
            continue
        if top in IMPURE_MODULES or (each.module == "random" and set(each.names) - {"Random"}):
            wrong.append(str(each))
    for name, path, tree in modules():
        if not any(within(name, package) for package in PURE):
            continue
        plain_random = any(
            isinstance(node, ast.Import) and any(alias.name == "random" for alias in node.names)
            for node in ast.walk(tree)
        )
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            of_clock = node.value.id in ("datetime", "date") and node.attr in IMPURE_CALLS
            of_chance = plain_random and node.value.id == "random" and node.attr != "Random"
            if of_clock or of_chance:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} uses {node.value.id}.{node.attr}")
    assert not wrong, "\n".join(wrong)


def test_third_party_imports_are_on_the_list() -> None:
    wrong = []
    for each in imports():
        top = each.module.partition(".")[0]
        own = "simulation" if within(each.importer, "simulation") else "tocsin"
        if top in sys.stdlib_module_names or top in ("tocsin", "__future__", "", own):
            continue
        if top not in THIRD_PARTY[longest(each.importer, THIRD_PARTY)]:
            wrong.append(str(each))
    assert not wrong, "\n".join(wrong)


def test_the_library_loads_nothing_of_the_nodes() -> None:
    heavy = (
        "yaml httpx starlette uvicorn google.protobuf prometheus_client re2 msgspec xxhash"
        " tocsin.alerting tocsin.node"
    )
    program = (
        "import sys, importlib, pkgutil, tocsin.gossip\n"
        "for found in pkgutil.walk_packages(tocsin.gossip.__path__, 'tocsin.gossip.'):\n"
        "    importlib.import_module(found.name)\n"
        f"print(*[name for name in {heavy!r}.split() if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(SOURCE)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


FOREIGN_ATTRIBUTES = {
    "strerror": "an OSError has it, an OverflowError of the same call does not",
    "sqlite_errorcode": "not every error of the sqlite3 module has it",
    "public_key": "not every key object of the cryptography package has it",
    "reason": "an ssl.SSLError has it, an OSError of the same call does not",
    "set_groups": "of an ssl context, from Python 3.15 on",
    "SSL_CTX_set1_curves_list": "not in every OpenSSL",
    "get_unverified_chain": "of an ssl object, from Python 3.13 on",
    "_sslobj": "of an ssl object, before Python 3.13",
    "memfd_create": "of Linux",
    "TCP_USER_TIMEOUT": "of Linux",
    "TCP_NOTSENT_LOWAT": "not on every system",
}
"""Attributes of objects that are not ours, which may be looked for by name; each with its reason."""


def test_nothing_probes_for_an_attribute_of_ours() -> None:
    """A contract is a type: what an object can do is not found out by ``getattr`` or ``hasattr``."""
    wrong = []
    for _, path, tree in modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id not in ("getattr", "hasattr") or len(node.args) < 2:
                continue
            name = node.args[1]
            if isinstance(name, ast.Constant) and name.value not in FOREIGN_ATTRIBUTES:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} looks for {name.value!r}")
    assert not wrong, "\n".join(wrong)


def test_every_citation_of_the_wire_protocol_leads_to_a_section() -> None:
    text = (ROOT / "docs" / "wire-protocol.md").read_text()
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", text, re.MULTILINE))
    cited = [
        (path, section)
        for folder in (SOURCE, ROOT / "tests")
        for path in folder.rglob("*.py")
        for found in re.findall(r"\bwire (\d[\d.]*\d(?:, \d[\d.]*\d)*|\d)", path.read_text())
        for section in found.split(", ")
    ]
    assert len(cited) > 50
    assert not [f"{path.name} cites {section}" for path, section in cited if section not in sections]


def test_only_the_registry_names_the_kinds_of_receiver() -> None:
    """Beside a kind's own module, and ``global``, whose keys have names of their own."""
    names = set(NAMES) | {f"{name}_configs" for name in NAMES}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} names {node.value!r}"
        for name, path, tree in modules()
        if within(name, "tocsin.node") or within(name, "tocsin.config") or within(name, "tocsin.alerting")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    assert not wrong, "\n".join(wrong)


FOUR_CHANGES = [
    # what is added, one that is there by all its names, and in how many source files it may stand
    ("a kind of receiver", ("pushover",), 2),
    ("a key of http_config", ("follow_redirects",), 2),
    ("a flag", ("web_max_event_streams",), 2),
    ("a flag of the cluster, in its own unit", ("cluster_reconnect_interval", "reconnect_interval"), 3),
    ("a metric of our own", ("withheld",), 2),
    ("a metric that Alertmanager has", ("dispatcher_aggregation_groups",), 2),
]


def says(tree: ast.Module, word: str) -> bool:
    """Whether a module has the word as a name, or within a text that is none of its docstrings."""
    docstrings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=name) | ast.arg(arg=name):
                if name == word:
                    return True
            case ast.Constant(value=str(text)) if node not in docstrings:
                if re.search(rf"(?<![\w.]){word}(?![\w.])", text):
                    return True
            case _:
                pass
    return False


@pytest.mark.parametrize(("what", "words", "most"), FOUR_CHANGES)
def test_what_is_added_often_stands_in_few_files(what: str, words: tuple[str, ...], most: int) -> None:
    files = [
        str(path.relative_to(ROOT))
        for name, path, tree in modules()
        if within(name, "tocsin") and any(word in path.read_text() and says(tree, word) for word in words)
    ]
    texts = [
        str(path.relative_to(ROOT))
        for path in SOURCE.rglob("*.txt")
        if any(word in path.read_text() for word in words)
    ]
    assert 0 < len(files) + len(texts) <= most, (what, files, texts)


def test_the_kinds_of_replicated_state_are_named_once() -> None:
    """By the keys of gossip: everywhere else the registry is asked."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for name, path, tree in modules()
        if within(name, "tocsin") and name != "tocsin.node.store.kinds"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("sil", "nfl")
    ]
    assert not wrong, "\n".join(wrong)


LATE_BINDING: dict[str, str] = {
    "on_stored": "the journal listens to a state while it is open, and the state knows no journal",
    "on_outlived": "as on_stored",
    "on_stall": "the event loop's lag is measured before there is a node",
}
"""Callbacks that are set on an object after it was made; each with its reason."""


def is_late_binding(target: ast.expr) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and bool(re.match(r"_?on_|.*callback", target.attr))
        and not (isinstance(target.value, ast.Name) and target.value.id in ("self", "cls"))
        and target.attr not in LATE_BINDING
    )


def test_no_callback_is_set_into_an_object_that_was_made_before() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} sets {ast.unparse(target)}"
        for name, path, tree in modules()
        if within(name, "tocsin")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if is_late_binding(target)
    ]
    assert not wrong, "\n".join(wrong)


NOT_MACHINES = {
    # what has a next_timeout and is not run by the shell; docs/decisions.md, 56
    "Timers": "timers of a machine, by key",
    "AssociationTable": "a part of a DTLS machine",
    "Association": "a part of a DTLS machine",
    "Heartbeat": "a part of a session of tocsin/1",
    "MuxSession": "its bytes are pulled as the socket takes them",
    "TLSSession": "its bytes are pulled as the socket takes them",
    "OutboundQueue": "what it gives depends on how much waits in the transport",
    "Resyncs": "what it gives depends on how much waits in the transport",
    "Machine": "the contract itself",
}


def test_every_machine_goes_through_the_conformance_test() -> None:
    tried = (ROOT / "tests" / "conformance" / "test_machines.py").read_text()
    found = {
        node.name
        for name, _, tree in modules()
        if within(name, "tocsin")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(each, ast.FunctionDef) and each.name == "next_timeout" for each in node.body)
    }
    assert NOT_MACHINES.keys() <= found, "take it off the list"
    wrong = [name for name in found - NOT_MACHINES.keys() if not re.search(rf"import .*\b{name}\b", tried)]
    assert not wrong, wrong


def loads(name: str, path: Path, tree: ast.Module, known: frozenset[str]) -> set[str]:
    """The modules of ours that a module imports when it is loaded."""
    found: set[str] = set()
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        match waiting.pop():
            case ast.If(test=test, body=body, orelse=orelse):
                waiting += orelse if "TYPE_CHECKING" in ast.unparse(test) else [*body, *orelse]
            case ast.Try(body=body):
                waiting += body
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {each if (each := f"{module}.{a.name}") in known else module for a in names}
            case _:
                pass
    return (found & known) - {name}


def test_no_module_loads_itself_by_way_of_others() -> None:
    known = frozenset(name for name, _, _ in modules())
    graph = {name: loads(name, path, tree, known) for name, path, tree in modules()}
    while ends := {name for name, loaded in graph.items() if not loaded & graph.keys()}:
        graph = {name: loaded for name, loaded in graph.items() if name not in ends}
    assert not graph, sorted(graph)


MOST_PARAMETERS = 9
MANY_WITH_REASON = {
    "Gossip": 15,  # the application's callbacks, by name
    "Endpoint": 13,  # the same, from the driver
    "Cluster": 13,  # the node's callbacks, by name
    "Pipeline": 11,  # what outlives it, by name
}
"""How many parameters a constructor takes; not one more."""


def test_constructors_take_few_things() -> None:
    counts = {
        node.name: len(made.args.args) + len(made.args.kwonlyargs) - 1
        for name, _, tree in modules()
        if within(name, "tocsin")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for made in node.body
        if isinstance(made, ast.FunctionDef) and made.name == "__init__"
    }
    many = {name: count for name, count in counts.items() if count > MOST_PARAMETERS}
    assert many == MANY_WITH_REASON


def test_every_library_that_is_imported_has_its_line_in_the_dependencies() -> None:
    names = {
        "dns": "dnspython",
        "yaml": "PyYAML",
        "re2": "google-re2",
        "google": "protobuf",
        "grpc": "grpcio",
    }
    page = (ROOT / "docs" / "dependencies.md").read_text()
    for name in {name for of_package in THIRD_PARTY.values() for name in of_package} - {"pytest"}:
        wanted = names.get(name, name.replace("_", "-"))
        assert re.search(rf"^\|.*\b{wanted}", page, re.MULTILINE | re.IGNORECASE), name


RETIRED = {
    # a word of our own: the field's
    "bury": "add a tombstone",
    "courier": "outbound queue",
    "door": "admission policy",
    "entomb": "add a tombstone",
    "exhume": "remove a tombstone",
    "farewell": "leave, GOAWAY or close_notify",
    "farside": "peer or server",
    "grave": "tombstone",
    "knock": "probe again",
    "lane": "integration queue",
    "life": "run",
    "mend": "hint or fix",
    "met": "seen",
    "news": "update, or new",
    "notation": "matcher syntax",
    "parcel": "batch",
    "payer": "accounted peer",
    "poke": "notify",
    "stranger": "unverified host",
    "tell": "notify, send, report or log",
    "telling": "explanation",
    "told": "notified, sent, reported or logged",
    "unheard": "unknown",
    "unsaid": "withheld",
    "untold": "not notified",
    "visitor": "tracked connection",
}
"""Words that puzzle who knows the field, and what it says."""
NAMED_WITH_REASON = {
    ("tocsin.models.explain", "told"): "names of the OpenAPI document",
    ("tocsin.models.history", "told"): "names of the OpenAPI document",
}


def test_no_module_class_or_function_is_named_by_a_retired_word() -> None:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    wrong = [
        f"{path.relative_to(ROOT)}: {each}, say {RETIRED[word]}"
        for name, path, tree in modules()
        if within(name, "tocsin")
        for each in [
            name.rpartition(".")[2],
            *(node.name for node in ast.walk(tree) if isinstance(node, kinds)),
        ]
        for word in words_of(each)
        if word in RETIRED and (name, word) not in NAMED_WITH_REASON
    ]
    assert not wrong, "\n".join(wrong)


def words_of(name: str) -> set[str]:
    """The parts of a name in lower case, as they stand and without a plural's ``s``."""
    parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z]+", name)}
    return parts | {part.removesuffix("s") for part in parts}


RETIRED_IN_PROSE = re.compile(
    r"\b(?:told|tells?|telling|untold|strangers?|house|far (?:side|end)|parcels?|courier|payer|poke[ds]?"
    r"|knock(?:s|ed)?|entomb(?:s|ed)?|exhume[ds]?|graves?|buried|visitors?|him|his"
    r"|get (?:its|their) turns?|(?:its|whose|others') turn|turns? of the (?:event )?loop"
    r"|by (?:its|their) own words|without a word|earlier life|the system (?:took|takes|has taken)"
    r"|(?:that|what) is none|not offered)\b",
    re.IGNORECASE,
)
SAID_WITH_REASON = {
    ("gossip/transport/statistics.py", "strangers"): "a label's value",
    ("gossip/transport/udp/receiving.py", "strangers"): "a label's value",
    ("gossip/transport/tls/handshakes.py", "strangers"): "a label's value",
    ("cli/expectations.py", "told"): "a key of the files of expectations",
}
"""What users see and parse keeps its name."""


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Comments and docstrings by line, and the texts of messages (those with a blank in them)."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
            elif token.type == tokenize.STRING and " " in token.string:
                text = token.string
                if re.match(r"[a-zA-Z]*[fF]", text):
                    text = re.sub(r"\{[^{}]*\}", "", text)
                yield token.start[0], text


def test_no_comment_docstring_or_message_says_a_retired_word() -> None:
    wrong = [
        f"{path.relative_to(SOURCE)}:{line} says {found!r}"
        for name, path, _ in modules()
        if within(name, "tocsin")
        for line, text in prose_of(path)
        for found in RETIRED_IN_PROSE.findall(text)
        if (str(path.relative_to(SOURCE / "tocsin")), found) not in SAID_WITH_REASON
    ]
    assert not wrong, "\n".join(wrong)


def source_lengths() -> dict[str, int]:
    return {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for _, path, _ in modules()}


def test_files_are_short_enough_to_read() -> None:
    lengths = source_lengths()
    for name, reason in LONG_WITH_REASON.items():
        assert reason
        assert lengths[name] > MUCH_TOO_LONG, f"{name} is short now: take it off the list"
    for name, length in sorted(lengths.items()):
        if length > LONGEST:
            print(f"{name} has {length} lines, more than {LONGEST}: think of dividing it")
    far = {name: n for name, n in lengths.items() if n > MUCH_TOO_LONG and name not in LONG_WITH_REASON}
    assert not far, far


def tracked_files() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, timeout=60)
    if done.returncode:
        pytest.skip("not a git work tree")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_the_machine_it_was_written_on() -> None:
    # The patterns are put together here so that this file does not hold them itself.
    paths = [rf"(?<![\w.$}}]){'/' + folder}/" for folder in ("wo" + "rk", "ro" + "ot", "ho" + "me/[a-z]+")]
    pattern = re.compile(
        "|".join([*paths, "arti" + "factory", "nex" + "us\\.", "/tm" + "p/[a-z0-9_-]+/"]), re.I
    )
    wrong = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not wrong, "\n".join(wrong)


def test_every_step_of_the_walks_is_where_the_map_says() -> None:
    steps = re.findall(r"`([\w/]+\.py)`: `(\w+)`", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(steps) > 25
    missing = [
        f"{path}: {name}"
        for path, name in steps
        if not re.search(rf"^ *(?:async )?def {name}\b", (SOURCE / "tocsin" / path).read_text(), re.MULTILINE)
    ]
    assert missing == []
