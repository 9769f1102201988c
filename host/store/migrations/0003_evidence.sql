-- Exports, outside time, witnesses, and erasure.

-- Who took a part of the ledger with them: entries first to last.
CREATE TABLE exports (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER PRIMARY KEY
) STRICT;

-- RFC 3161 tokens over the checkpoint of `size` entries, with the certificates that came with them.
CREATE TABLE stamps (
    tenant    TEXT NOT NULL,
    authority TEXT NOT NULL,
    size      INTEGER NOT NULL,
    gen_time  INTEGER NOT NULL,
    digest    BLOB NOT NULL,
    token     BLOB NOT NULL,
    at        INTEGER NOT NULL,
    seq       INTEGER PRIMARY KEY
) STRICT;

-- Witnesses' signature lines over checkpoints.
CREATE TABLE cosignatures (
    size INTEGER NOT NULL,
    key  TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, key)
) STRICT, WITHOUT ROWID;

-- What was erased by an entry: numbers and ranges of entries, as the entry's facts have them.
CREATE TABLE erasures (
    tenant  TEXT NOT NULL,
    id      TEXT NOT NULL,
    basis   TEXT NOT NULL,
    targets TEXT NOT NULL,
    at      INTEGER NOT NULL,
    seq     INTEGER PRIMARY KEY
) STRICT;

-- The same, one row for each entry whose payload is gone.
CREATE TABLE erased (
    target INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL
) STRICT;

-- Whom a case is about, as its input says; gone with it.
CREATE TABLE data_subjects (
    tenant  TEXT NOT NULL,
    subject TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX data_subjects_by_seq ON data_subjects (seq);

-- How long payloads are kept; the newest row of a tenant counts.
CREATE TABLE retentions (
    tenant   TEXT NOT NULL,
    payloads TEXT NOT NULL,
    at       INTEGER NOT NULL,
    seq      INTEGER PRIMARY KEY
) STRICT;

CREATE TRIGGER exports_keep_update BEFORE UPDATE ON exports BEGIN SELECT RAISE(ABORT, 'exports: rows are never changed'); END;
CREATE TRIGGER exports_keep_delete BEFORE DELETE ON exports BEGIN SELECT RAISE(ABORT, 'exports: rows are never deleted'); END;
CREATE TRIGGER stamps_keep_update BEFORE UPDATE ON stamps BEGIN SELECT RAISE(ABORT, 'stamps: rows are never changed'); END;
CREATE TRIGGER stamps_keep_delete BEFORE DELETE ON stamps BEGIN SELECT RAISE(ABORT, 'stamps: rows are never deleted'); END;
CREATE TRIGGER cosignatures_keep_update BEFORE UPDATE ON cosignatures BEGIN SELECT RAISE(ABORT, 'cosignatures: rows are never changed'); END;
CREATE TRIGGER cosignatures_keep_delete BEFORE DELETE ON cosignatures BEGIN SELECT RAISE(ABORT, 'cosignatures: rows are never deleted'); END;
CREATE TRIGGER erasures_keep_update BEFORE UPDATE ON erasures BEGIN SELECT RAISE(ABORT, 'erasures: rows are never changed'); END;
CREATE TRIGGER erasures_keep_delete BEFORE DELETE ON erasures BEGIN SELECT RAISE(ABORT, 'erasures: rows are never deleted'); END;
CREATE TRIGGER erased_keep_update BEFORE UPDATE ON erased BEGIN SELECT RAISE(ABORT, 'erased: rows are never changed'); END;
CREATE TRIGGER erased_keep_delete BEFORE DELETE ON erased BEGIN SELECT RAISE(ABORT, 'erased: rows are never deleted'); END;
CREATE TRIGGER retentions_keep_update BEFORE UPDATE ON retentions BEGIN SELECT RAISE(ABORT, 'retentions: rows are never changed'); END;
CREATE TRIGGER retentions_keep_delete BEFORE DELETE ON retentions BEGIN SELECT RAISE(ABORT, 'retentions: rows are never deleted'); END;

-- Payloads go where an entry says so, and never otherwise.
DROP TRIGGER sealed_keep_update;
CREATE TRIGGER sealed_keep_update BEFORE UPDATE ON sealed
WHEN NOT (
    EXISTS (SELECT 1 FROM erased WHERE target = OLD.seq) AND NEW.seq = OLD.seq AND NEW.tenant = OLD.tenant
    AND coalesce(NEW.input_salt, NEW.input, NEW.record_salt, NEW.record) IS NULL
)
BEGIN SELECT RAISE(ABORT, 'sealed: rows are never changed, but for an erasure that an entry records'); END;
-- What an erased record alone could confirm goes with it: the entry's time stands for those of the record.
DROP TRIGGER decisions_keep_update;
CREATE TRIGGER decisions_keep_update BEFORE UPDATE ON decisions
WHEN NOT (
    EXISTS (SELECT 1 FROM erased WHERE target = OLD.seq) AND NEW.seq = OLD.seq AND NEW.id = OLD.id
    AND NEW.tenant = OLD.tenant AND NEW.system IS OLD.system AND NEW.environment = OLD.environment AND NEW.kind = ''
    AND NEW.verdict = OLD.verdict AND NEW.reason = OLD.reason AND NEW.risk_score = OLD.risk_score
    AND NEW.confidence = OLD.confidence AND NEW.occurred_at = OLD.occurred_at AND NEW.rules_as_of = OLD.rules_as_of
    AND NEW.snapshot = OLD.snapshot AND NEW.kill_switch = OLD.kill_switch
    AND coalesce(NEW.idempotency_key, NEW.body_hash) IS NULL
)
BEGIN SELECT RAISE(ABORT, 'decisions: rows are never changed, but for an erasure that an entry records'); END;
DROP TRIGGER effects_keep_delete;
CREATE TRIGGER effects_keep_delete BEFORE DELETE ON effects
WHEN NOT EXISTS (SELECT 1 FROM erased WHERE target = OLD.seq)
BEGIN SELECT RAISE(ABORT, 'effects: rows are never deleted, but for an erasure that an entry records'); END;
CREATE TRIGGER data_subjects_keep_update BEFORE UPDATE ON data_subjects
BEGIN SELECT RAISE(ABORT, 'data_subjects: rows are never changed'); END;
CREATE TRIGGER data_subjects_keep_delete BEFORE DELETE ON data_subjects
WHEN NOT EXISTS (SELECT 1 FROM erased WHERE target = OLD.seq)
BEGIN SELECT RAISE(ABORT, 'data_subjects: rows are never deleted, but for an erasure that an entry records'); END;
