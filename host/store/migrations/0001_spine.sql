-- The spine: what is recorded, and what is in force. Rows are only ever added.
-- tenant is '' for what belongs to the whole host. Times are milliseconds since the Unix epoch, UTC. Hashes are 32 bytes.

-- The ledger itself: bytes are the truth, the other columns are copies of what they say, to select by.
CREATE TABLE entries (
    seq     INTEGER PRIMARY KEY,
    hash    BLOB NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    time    INTEGER NOT NULL,
    bytes   BLOB NOT NULL
) STRICT;

-- What the commitments of an entry bind. Kept apart, since it may quote a person and may have to be erased one day.
CREATE TABLE sealed (
    seq         INTEGER PRIMARY KEY,
    tenant      TEXT NOT NULL,
    input_salt  BLOB,
    input       BLOB,
    record_salt BLOB,
    record      BLOB
) STRICT;

CREATE TABLE decisions (
    seq             INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    tenant          TEXT NOT NULL,
    system          TEXT,
    environment     TEXT NOT NULL,
    kind            TEXT NOT NULL,
    verdict         TEXT NOT NULL,
    reason          TEXT NOT NULL,
    risk_score      REAL NOT NULL,
    confidence      REAL NOT NULL,
    occurred_at     INTEGER NOT NULL,
    rules_as_of     INTEGER NOT NULL,
    received_at     INTEGER NOT NULL,
    decided_at      INTEGER NOT NULL,
    snapshot        BLOB NOT NULL,
    kill_switch     INTEGER NOT NULL,
    idempotency_key TEXT,
    body_hash       BLOB
) STRICT;

-- Listing is newest first by seq, which every index on a rowid table ends with.
CREATE INDEX decisions_by_tenant ON decisions (tenant);
CREATE INDEX decisions_by_system ON decisions (tenant, system) WHERE system IS NOT NULL;
CREATE UNIQUE INDEX decisions_by_key ON decisions (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What a decision planned, in its order.
CREATE TABLE effects (
    seq     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    tenant  TEXT NOT NULL,
    binding TEXT NOT NULL,
    kind    TEXT NOT NULL,
    body    BLOB NOT NULL,
    state   TEXT NOT NULL,
    PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

-- Content by its SHA-256. It has no tenant: it is reached only through a row that has one.
CREATE TABLE snapshots (
    hash  BLOB PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE components (
    digest BLOB PRIMARY KEY,
    size   INTEGER NOT NULL,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE packages (
    tenant   TEXT NOT NULL,
    name     TEXT NOT NULL,
    version  TEXT NOT NULL,
    digest   BLOB NOT NULL,
    kind     TEXT NOT NULL,
    contract TEXT NOT NULL,
    manifest TEXT NOT NULL,
    at       INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (tenant, name, version)
) STRICT;

CREATE TABLE activations (
    tenant  TEXT NOT NULL,
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    digest  BLOB NOT NULL,
    event   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    seq     INTEGER PRIMARY KEY
) STRICT;

CREATE TABLE policies (
    tenant  TEXT NOT NULL,
    scope   TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    bytes   BLOB NOT NULL,
    at      INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (tenant, scope, version)
) STRICT;

CREATE TABLE systems (
    tenant  TEXT NOT NULL,
    id      TEXT NOT NULL,
    version INTEGER NOT NULL,
    bytes   BLOB NOT NULL,
    at      INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (tenant, id, version)
) STRICT;

CREATE TABLE keys (
    id     TEXT PRIMARY KEY,
    hash   BLOB NOT NULL UNIQUE,
    role   TEXT NOT NULL,
    tenant TEXT NOT NULL,
    label  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER NOT NULL
) STRICT;

CREATE TABLE key_revocations (
    id     TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER NOT NULL
) STRICT;

-- Full tiles of the Merkle tree, and its root at the end of each group of entries.
CREATE TABLE tiles (
    level  INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE heads (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    hash BLOB NOT NULL,
    time INTEGER NOT NULL
) STRICT;
