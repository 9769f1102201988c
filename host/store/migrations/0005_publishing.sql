-- The life of a version: going back in one step; and who publishes what, by whose signature. The steps themselves are rows of
-- activations. Rows are only ever added.

-- A version went out of use in favour of one that served before it.
CREATE TABLE roll_backs (
    tenant     TEXT NOT NULL,
    package    TEXT NOT NULL,
    version    TEXT NOT NULL,
    digest     BLOB NOT NULL,
    to_version TEXT NOT NULL,
    to_digest  BLOB NOT NULL,
    at         INTEGER NOT NULL,
    seq        INTEGER PRIMARY KEY
) STRICT;

-- Who publishes in a namespace: the part of a package's name before the slash.
CREATE TABLE namespaces (
    tenant    TEXT NOT NULL,
    namespace TEXT NOT NULL,
    publisher TEXT NOT NULL,
    at        INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (tenant, namespace)
) STRICT;

-- Keys that sign packages of a namespace from their entry on, as `name+id+base64`.
CREATE TABLE publisher_keys (
    tenant    TEXT NOT NULL,
    namespace TEXT NOT NULL,
    key       TEXT NOT NULL,
    at        INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT;

CREATE TABLE publisher_key_revocations (
    tenant    TEXT NOT NULL,
    namespace TEXT NOT NULL,
    key       TEXT NOT NULL,
    at        INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT;

-- Signatures over published versions, as they were verified: signed notes.
CREATE TABLE signatures (
    tenant  TEXT NOT NULL,
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    digest  BLOB NOT NULL,
    key     TEXT NOT NULL,
    note    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (tenant, package, version, key)
) STRICT;

CREATE TRIGGER roll_backs_keep_update BEFORE UPDATE ON roll_backs BEGIN SELECT RAISE(ABORT, 'roll_backs: rows are never changed'); END;
CREATE TRIGGER roll_backs_keep_delete BEFORE DELETE ON roll_backs BEGIN SELECT RAISE(ABORT, 'roll_backs: rows are never deleted'); END;
CREATE TRIGGER namespaces_keep_update BEFORE UPDATE ON namespaces BEGIN SELECT RAISE(ABORT, 'namespaces: rows are never changed'); END;
CREATE TRIGGER namespaces_keep_delete BEFORE DELETE ON namespaces BEGIN SELECT RAISE(ABORT, 'namespaces: rows are never deleted'); END;
CREATE TRIGGER publisher_keys_keep_update BEFORE UPDATE ON publisher_keys BEGIN SELECT RAISE(ABORT, 'publisher_keys: rows are never changed'); END;
CREATE TRIGGER publisher_keys_keep_delete BEFORE DELETE ON publisher_keys BEGIN SELECT RAISE(ABORT, 'publisher_keys: rows are never deleted'); END;
CREATE TRIGGER publisher_key_revocations_keep_update BEFORE UPDATE ON publisher_key_revocations BEGIN SELECT RAISE(ABORT, 'publisher_key_revocations: rows are never changed'); END;
CREATE TRIGGER publisher_key_revocations_keep_delete BEFORE DELETE ON publisher_key_revocations BEGIN SELECT RAISE(ABORT, 'publisher_key_revocations: rows are never deleted'); END;
CREATE TRIGGER signatures_keep_update BEFORE UPDATE ON signatures BEGIN SELECT RAISE(ABORT, 'signatures: rows are never changed'); END;
CREATE TRIGGER signatures_keep_delete BEFORE DELETE ON signatures BEGIN SELECT RAISE(ABORT, 'signatures: rows are never deleted'); END;
