-- What proofs are served from, signed tree heads, and the keys that sign them. Rows are only ever added.

-- Above the leaves: hash idx of tile level `level` is the root of the full tile idx of the level below (level 1 and up), so
-- that a tile which isn't full yet can be read, too.
CREATE TABLE nodes (
    level INTEGER NOT NULL,
    idx   INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

-- Signed notes, exactly as they were given out.
CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    note BLOB NOT NULL
) STRICT;

-- Keys that sign checkpoints from their entry on; the entry's facts hold the statement that the keys signed.
CREATE TABLE log_keys (
    tenant TEXT NOT NULL,
    key    TEXT NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER PRIMARY KEY
) STRICT;

-- Accidents are prevented here. What is done on purpose, by somebody who drops these first, shows in the hashes.
CREATE TRIGGER entries_keep_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries: rows are never changed'); END;
CREATE TRIGGER entries_keep_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries: rows are never deleted'); END;
CREATE TRIGGER sealed_keep_update BEFORE UPDATE ON sealed BEGIN SELECT RAISE(ABORT, 'sealed: rows are never changed'); END;
CREATE TRIGGER sealed_keep_delete BEFORE DELETE ON sealed BEGIN SELECT RAISE(ABORT, 'sealed: rows are never deleted'); END;
CREATE TRIGGER decisions_keep_update BEFORE UPDATE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions: rows are never changed'); END;
CREATE TRIGGER decisions_keep_delete BEFORE DELETE ON decisions BEGIN SELECT RAISE(ABORT, 'decisions: rows are never deleted'); END;
CREATE TRIGGER effects_keep_update BEFORE UPDATE ON effects BEGIN SELECT RAISE(ABORT, 'effects: rows are never changed'); END;
CREATE TRIGGER effects_keep_delete BEFORE DELETE ON effects BEGIN SELECT RAISE(ABORT, 'effects: rows are never deleted'); END;
CREATE TRIGGER snapshots_keep_update BEFORE UPDATE ON snapshots BEGIN SELECT RAISE(ABORT, 'snapshots: rows are never changed'); END;
CREATE TRIGGER snapshots_keep_delete BEFORE DELETE ON snapshots BEGIN SELECT RAISE(ABORT, 'snapshots: rows are never deleted'); END;
CREATE TRIGGER components_keep_update BEFORE UPDATE ON components BEGIN SELECT RAISE(ABORT, 'components: rows are never changed'); END;
CREATE TRIGGER components_keep_delete BEFORE DELETE ON components BEGIN SELECT RAISE(ABORT, 'components: rows are never deleted'); END;
CREATE TRIGGER packages_keep_update BEFORE UPDATE ON packages BEGIN SELECT RAISE(ABORT, 'packages: rows are never changed'); END;
CREATE TRIGGER packages_keep_delete BEFORE DELETE ON packages BEGIN SELECT RAISE(ABORT, 'packages: rows are never deleted'); END;
CREATE TRIGGER activations_keep_update BEFORE UPDATE ON activations BEGIN SELECT RAISE(ABORT, 'activations: rows are never changed'); END;
CREATE TRIGGER activations_keep_delete BEFORE DELETE ON activations BEGIN SELECT RAISE(ABORT, 'activations: rows are never deleted'); END;
CREATE TRIGGER policies_keep_update BEFORE UPDATE ON policies BEGIN SELECT RAISE(ABORT, 'policies: rows are never changed'); END;
CREATE TRIGGER policies_keep_delete BEFORE DELETE ON policies BEGIN SELECT RAISE(ABORT, 'policies: rows are never deleted'); END;
CREATE TRIGGER systems_keep_update BEFORE UPDATE ON systems BEGIN SELECT RAISE(ABORT, 'systems: rows are never changed'); END;
CREATE TRIGGER systems_keep_delete BEFORE DELETE ON systems BEGIN SELECT RAISE(ABORT, 'systems: rows are never deleted'); END;
CREATE TRIGGER keys_keep_update BEFORE UPDATE ON keys BEGIN SELECT RAISE(ABORT, 'keys: rows are never changed'); END;
CREATE TRIGGER keys_keep_delete BEFORE DELETE ON keys BEGIN SELECT RAISE(ABORT, 'keys: rows are never deleted'); END;
CREATE TRIGGER key_revocations_keep_update BEFORE UPDATE ON key_revocations BEGIN SELECT RAISE(ABORT, 'key_revocations: rows are never changed'); END;
CREATE TRIGGER key_revocations_keep_delete BEFORE DELETE ON key_revocations BEGIN SELECT RAISE(ABORT, 'key_revocations: rows are never deleted'); END;
CREATE TRIGGER tiles_keep_update BEFORE UPDATE ON tiles BEGIN SELECT RAISE(ABORT, 'tiles: rows are never changed'); END;
CREATE TRIGGER tiles_keep_delete BEFORE DELETE ON tiles BEGIN SELECT RAISE(ABORT, 'tiles: rows are never deleted'); END;
CREATE TRIGGER heads_keep_update BEFORE UPDATE ON heads BEGIN SELECT RAISE(ABORT, 'heads: rows are never changed'); END;
CREATE TRIGGER heads_keep_delete BEFORE DELETE ON heads BEGIN SELECT RAISE(ABORT, 'heads: rows are never deleted'); END;
CREATE TRIGGER nodes_keep_update BEFORE UPDATE ON nodes BEGIN SELECT RAISE(ABORT, 'nodes: rows are never changed'); END;
CREATE TRIGGER nodes_keep_delete BEFORE DELETE ON nodes BEGIN SELECT RAISE(ABORT, 'nodes: rows are never deleted'); END;
CREATE TRIGGER checkpoints_keep_update BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints: rows are never changed'); END;
CREATE TRIGGER checkpoints_keep_delete BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints: rows are never deleted'); END;
CREATE TRIGGER log_keys_keep_update BEFORE UPDATE ON log_keys BEGIN SELECT RAISE(ABORT, 'log_keys: rows are never changed'); END;
CREATE TRIGGER log_keys_keep_delete BEFORE DELETE ON log_keys BEGIN SELECT RAISE(ABORT, 'log_keys: rows are never deleted'); END;
