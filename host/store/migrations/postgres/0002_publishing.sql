-- What 0005_publishing.sql makes in SQLite, guarded as all other tables are.
--
-- The life of a version: going back in one step; and who publishes what, by whose signature. The steps themselves are rows of
-- activations. Rows are only ever added.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);
SET LOCAL ROLE assize_owner;

-- A version went out of use in favour of one that served before it.
CREATE TABLE roll_backs (
    tenant     text COLLATE "C" NOT NULL,
    package    text COLLATE "C" NOT NULL,
    version    text COLLATE "C" NOT NULL,
    digest     bytea NOT NULL,
    to_version text COLLATE "C" NOT NULL,
    to_digest  bytea NOT NULL,
    at         bigint NOT NULL,
    seq        bigint PRIMARY KEY
);

-- Who publishes in a namespace: the part of a package's name before the slash.
CREATE TABLE namespaces (
    tenant    text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    publisher text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant, namespace)
);

-- Keys that sign packages of a namespace from their entry on, as `name+id+base64`.
CREATE TABLE publisher_keys (
    tenant    text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant, key)
);

CREATE TABLE publisher_key_revocations (
    tenant    text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- Signatures over published versions, as they were verified: signed notes.
CREATE TABLE signatures (
    tenant  text COLLATE "C" NOT NULL,
    package text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    digest  bytea NOT NULL,
    key     text COLLATE "C" NOT NULL,
    note    text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (tenant, package, version, key)
);

GRANT SELECT, INSERT ON roll_backs, namespaces, publisher_keys, publisher_key_revocations, signatures TO assize_writer;
GRANT SELECT ON roll_backs, namespaces, publisher_keys, publisher_key_revocations, signatures
    TO assize_verifier, assize_reader;

-- What is the host's own concerns every tenant: its packages, and who signs them.
DO $$
DECLARE
    name text;
    own constant text := 'tenant = nullif(current_setting(''assize.tenant'', true), '''')';
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'roll_backs', 'namespaces', 'publisher_keys', 'publisher_key_revocations', 'signatures']
    LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION keep()', name);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER keep_rows', name);
        PERFORM guard(name);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY host ON %I TO assize_writer, assize_verifier USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO assize_reader USING (tenant = '''' OR %s)', name, own);
    END LOOP;
END
$$;

RESET ROLE;
