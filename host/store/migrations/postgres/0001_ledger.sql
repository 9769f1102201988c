-- What migrations/*.sql make in SQLite, with the same tables and columns, and with what a server can do besides: roles,
-- row-level security, partitions by month, triggers that nothing switches off by accident. See docs/decisions/0013.
--
-- tenant is '' for what belongs to the whole host. Times are milliseconds since the Unix epoch, UTC. Hashes are 32 bytes.
-- Texts compare byte by byte, as in SQLite.

SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- Roles belong to all databases of a server: another may have them already, or be making them at this moment.
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['assize_owner', 'assize_writer', 'assize_verifier', 'assize_reader'] LOOP
        IF to_regrole(made) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', made);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF NOT pg_has_role(session_user, made, 'USAGE') THEN
            EXECUTE format('GRANT %I TO %I', made, session_user);
        END IF;
    END LOOP;
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO assize_owner', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO assize_writer, assize_verifier, assize_reader', current_schema());
END
$$;

SET LOCAL ROLE assize_owner;

-- The ledger itself: bytes are the truth, the other columns are copies of what they say, to select by.
CREATE TABLE entries (
    seq     bigint NOT NULL,
    hash    bytea NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    time    bigint NOT NULL,
    bytes   bytea NOT NULL,
    PRIMARY KEY (seq, time)
) PARTITION BY RANGE (time);

-- What the commitments of an entry bind. Kept apart, since it may quote a person and may have to be erased one day.
-- time is the entry's here and below, so that a month's rows are together.
CREATE TABLE sealed (
    seq         bigint NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    input_salt  bytea,
    input       bytea,
    record_salt bytea,
    record      bytea,
    time        bigint NOT NULL,
    PRIMARY KEY (seq, time)
) PARTITION BY RANGE (time);

-- Not in months: an id and an idempotency key are unique over all of them.
CREATE TABLE decisions (
    seq             bigint PRIMARY KEY,
    id              text COLLATE "C" NOT NULL UNIQUE,
    tenant          text COLLATE "C" NOT NULL,
    system          text COLLATE "C",
    environment     text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL,
    verdict         text COLLATE "C" NOT NULL,
    reason          text COLLATE "C" NOT NULL,
    risk_score      double precision NOT NULL,
    confidence      double precision NOT NULL,
    occurred_at     bigint NOT NULL,
    rules_as_of     bigint NOT NULL,
    received_at     bigint NOT NULL,
    decided_at      bigint NOT NULL,
    snapshot        bytea NOT NULL,
    kill_switch     bigint NOT NULL,
    idempotency_key text COLLATE "C",
    body_hash       bytea
);
CREATE INDEX decisions_by_tenant ON decisions (tenant, seq);
CREATE INDEX decisions_by_system ON decisions (tenant, system, seq) WHERE system IS NOT NULL;
CREATE UNIQUE INDEX decisions_by_key ON decisions (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- What a decision planned, in its order.
CREATE TABLE effects (
    seq     bigint NOT NULL,
    n       bigint NOT NULL,
    tenant  text COLLATE "C" NOT NULL,
    binding text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    body    bytea NOT NULL,
    state   text COLLATE "C" NOT NULL,
    time    bigint NOT NULL,
    PRIMARY KEY (seq, n, time)
) PARTITION BY RANGE (time);

-- Content by its SHA-256. It has no tenant: it is reached only through a row that has one.
CREATE TABLE snapshots (
    hash  bytea PRIMARY KEY,
    bytes bytea NOT NULL
);

CREATE TABLE components (
    digest bytea PRIMARY KEY,
    size   bigint NOT NULL,
    bytes  bytea NOT NULL
);

CREATE TABLE packages (
    tenant   text COLLATE "C" NOT NULL,
    name     text COLLATE "C" NOT NULL,
    version  text COLLATE "C" NOT NULL,
    digest   bytea NOT NULL,
    kind     text COLLATE "C" NOT NULL,
    contract text COLLATE "C" NOT NULL,
    manifest text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    seq      bigint NOT NULL,
    PRIMARY KEY (tenant, name, version)
);

CREATE TABLE activations (
    tenant  text COLLATE "C" NOT NULL,
    package text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    digest  bytea NOT NULL,
    event   text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    seq     bigint PRIMARY KEY
);

CREATE TABLE policies (
    tenant  text COLLATE "C" NOT NULL,
    scope   text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    hash    bytea NOT NULL,
    bytes   bytea NOT NULL,
    at      bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (tenant, scope, version)
);

CREATE TABLE systems (
    tenant  text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    bytes   bytea NOT NULL,
    at      bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (tenant, id, version)
);

CREATE TABLE keys (
    id     text COLLATE "C" PRIMARY KEY,
    hash   bytea NOT NULL UNIQUE,
    role   text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    label  text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    seq    bigint NOT NULL
);

CREATE TABLE key_revocations (
    id     text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    seq    bigint NOT NULL
);

-- Full tiles of the Merkle tree, the hashes that they are in the tiles above, and its root at the end of each group of
-- entries.
CREATE TABLE tiles (
    level  integer NOT NULL,
    idx    bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE nodes (
    level integer NOT NULL,
    idx   bigint NOT NULL,
    hash  bytea NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE heads (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    hash bytea NOT NULL,
    time bigint NOT NULL
);

-- Where the log stands: the one row that changes, and only forwards. Whoever appends moves it from the size and hash that
-- they went on from; who finds it elsewhere has lost, and none of their rows stay.
CREATE TABLE head (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    size       bigint NOT NULL,
    hash       bytea NOT NULL,
    halt_epoch bigint NOT NULL
);
INSERT INTO head (size, hash, halt_epoch) VALUES (0, decode(repeat('00', 32), 'hex'), 0);

-- Signed notes, exactly as they were given out, the keys that sign them, and witnesses' lines over them.
CREATE TABLE checkpoints (
    size bigint PRIMARY KEY,
    note bytea NOT NULL
);

CREATE TABLE log_keys (
    tenant text COLLATE "C" NOT NULL,
    key    text COLLATE "C" NOT NULL,
    at     bigint NOT NULL,
    seq    bigint PRIMARY KEY
);

CREATE TABLE cosignatures (
    size bigint NOT NULL,
    key  text COLLATE "C" NOT NULL,
    line text COLLATE "C" NOT NULL,
    PRIMARY KEY (size, key)
);

-- Who took a part of the ledger with them: entries first to last.
CREATE TABLE exports (
    tenant text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL,
    first  bigint NOT NULL,
    last   bigint NOT NULL,
    at     bigint NOT NULL,
    seq    bigint PRIMARY KEY
);

-- RFC 3161 tokens over the checkpoint of `size` entries, with the certificates that came with them.
CREATE TABLE stamps (
    tenant    text COLLATE "C" NOT NULL,
    authority text COLLATE "C" NOT NULL,
    size      bigint NOT NULL,
    gen_time  bigint NOT NULL,
    digest    bytea NOT NULL,
    token     bytea NOT NULL,
    at        bigint NOT NULL,
    seq       bigint PRIMARY KEY
);

-- What was erased by an entry: numbers and ranges of entries, as the entry's facts have them; and one row for each entry
-- whose payload is gone.
CREATE TABLE erasures (
    tenant  text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    basis   text COLLATE "C" NOT NULL,
    targets text COLLATE "C" NOT NULL,
    at      bigint NOT NULL,
    seq     bigint PRIMARY KEY
);

CREATE TABLE erased (
    target bigint PRIMARY KEY,
    seq    bigint NOT NULL
);

-- Whom a case is about, as its input says; gone with it.
CREATE TABLE data_subjects (
    tenant  text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL UNIQUE,
    PRIMARY KEY (tenant, subject, seq)
);

-- What would have come out: reports of simulations, apart from rulings. The report is JSON text.
CREATE TABLE simulations (
    tenant text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL UNIQUE,
    digest bytea NOT NULL,
    report bytea NOT NULL,
    at     bigint NOT NULL,
    seq    bigint PRIMARY KEY
);

-- How long payloads are kept; the newest row of a tenant counts.
CREATE TABLE retentions (
    tenant   text COLLATE "C" NOT NULL,
    payloads text COLLATE "C" NOT NULL,
    at       bigint NOT NULL,
    seq      bigint PRIMARY KEY
);

-- Accidents are prevented here. What is done on purpose, by somebody who disables these first, shows in the hashes.
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: rows are never %', TG_TABLE_NAME,
        CASE TG_OP WHEN 'UPDATE' THEN 'changed' WHEN 'DELETE' THEN 'deleted' ELSE 'truncated' END
        USING ERRCODE = 'restrict_violation';
END
$$;

-- Payloads, and what an erased record alone could confirm, go where an entry says so, and never otherwise.
CREATE FUNCTION keep_unless_erased() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM erased WHERE target = OLD.seq) THEN
        IF TG_OP = 'DELETE' THEN
            IF TG_ARGV[0] IN ('effects', 'data_subjects') THEN
                RETURN OLD;
            END IF;
        ELSIF TG_ARGV[0] = 'sealed' THEN
            IF (NEW.seq, NEW.tenant, NEW.time) = (OLD.seq, OLD.tenant, OLD.time)
                AND coalesce(NEW.input_salt, NEW.input, NEW.record_salt, NEW.record) IS NULL THEN
                RETURN NEW;
            END IF;
        ELSIF TG_ARGV[0] = 'decisions' THEN
            IF (NEW.seq, NEW.id, NEW.tenant, NEW.environment, NEW.verdict, NEW.reason, NEW.risk_score, NEW.confidence,
                NEW.occurred_at, NEW.rules_as_of, NEW.snapshot, NEW.kill_switch, NEW.kind)
                = (OLD.seq, OLD.id, OLD.tenant, OLD.environment, OLD.verdict, OLD.reason, OLD.risk_score, OLD.confidence,
                OLD.occurred_at, OLD.rules_as_of, OLD.snapshot, OLD.kill_switch, '')
                AND NEW.system IS NOT DISTINCT FROM OLD.system
                AND NEW.idempotency_key IS NULL AND NEW.body_hash IS NULL THEN
                RETURN NEW;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION '%: rows are never %, but for an erasure that an entry records', TG_TABLE_NAME,
        CASE TG_OP WHEN 'UPDATE' THEN 'changed' ELSE 'deleted' END
        USING ERRCODE = 'restrict_violation';
END
$$;

-- The row says that a payload goes, and makes it go: so the host needs no right to change or delete anything.
CREATE FUNCTION erase() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    recorded bigint := (SELECT time FROM entries WHERE seq = NEW.target);
BEGIN
    UPDATE sealed SET input_salt = NULL, input = NULL, record_salt = NULL, record = NULL WHERE seq = NEW.target;
    DELETE FROM effects WHERE seq = NEW.target;
    UPDATE decisions
        SET kind = '', idempotency_key = NULL, body_hash = NULL, received_at = recorded, decided_at = recorded
        WHERE seq = NEW.target;
    DELETE FROM data_subjects WHERE seq = NEW.target;
    RETURN NULL;
END
$$;

CREATE FUNCTION only_forwards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.size > OLD.size AND NEW.halt_epoch >= OLD.halt_epoch THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'head: it moves only forwards, not from % to %', OLD.size, NEW.size
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION guard(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I EXECUTE FUNCTION keep()', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER keep_table', name);
END
$$;

DO $$
DECLARE
    name text;
    erasing boolean;
BEGIN
    FOREACH name IN ARRAY ARRAY['entries', 'sealed', 'decisions', 'effects', 'snapshots', 'components', 'packages',
        'activations', 'policies', 'systems', 'keys', 'key_revocations', 'tiles', 'nodes', 'heads', 'checkpoints',
        'log_keys', 'cosignatures', 'exports', 'stamps', 'erasures', 'erased', 'data_subjects', 'retentions',
        'simulations']
    LOOP
        erasing := name IN ('sealed', 'decisions', 'effects', 'data_subjects');
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION %s',
            name, CASE WHEN erasing THEN format('keep_unless_erased(%L)', name) ELSE 'keep()' END);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER keep_rows', name);
        PERFORM guard(name);
    END LOOP;
    PERFORM guard('head');
END
$$;
CREATE TRIGGER keep_rows BEFORE DELETE ON head FOR EACH ROW EXECUTE FUNCTION keep();
ALTER TABLE head ENABLE ALWAYS TRIGGER keep_rows;
CREATE TRIGGER only_forwards BEFORE UPDATE ON head FOR EACH ROW EXECUTE FUNCTION only_forwards();
ALTER TABLE head ENABLE ALWAYS TRIGGER only_forwards;
CREATE TRIGGER erase AFTER INSERT ON erased FOR EACH ROW EXECUTE FUNCTION erase();
ALTER TABLE erased ENABLE ALWAYS TRIGGER erase;

-- Makes the partitions of a moment's month and of the one after it; gives the end of that. Attaching, unlike making a
-- partition in place, doesn't wait for readers. A row of some KB stays whole in its page.
CREATE FUNCTION keep_months(at bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month timestamp := date_trunc('month', to_timestamp(at / 1000.0) AT TIME ZONE 'UTC');
    following timestamp;
    whole text;
    part text;
BEGIN
    FOR n IN 1..2 LOOP
        following := month + interval '1 month';
        FOREACH whole IN ARRAY ARRAY['entries', 'sealed', 'effects'] LOOP
            part := whole || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass(part) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE %I) WITH (toast_tuple_target = 8160)', part, whole);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', whole, part,
                (extract(epoch FROM month AT TIME ZONE 'UTC') * 1000)::bigint,
                (extract(epoch FROM following AT TIME ZONE 'UTC') * 1000)::bigint);
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
            PERFORM guard(part);
        END LOOP;
        month := following;
    END LOOP;
    RETURN (extract(epoch FROM month AT TIME ZONE 'UTC') * 1000)::bigint;
END
$$;
REVOKE ALL ON FUNCTION keep_months(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_months(bigint) TO assize_writer;

-- Hosts add, and move the head; verifiers read everything; readers read their tenant's rows, and what is the host's own
-- and concerns everybody. Nobody has rights on a partition itself.
GRANT SELECT, INSERT ON entries, sealed, decisions, effects, snapshots, components, packages, activations, policies,
    systems, keys, key_revocations, tiles, nodes, heads, checkpoints, log_keys, cosignatures, exports, stamps, erasures,
    erased, data_subjects, retentions, simulations TO assize_writer;
GRANT SELECT, UPDATE (size, hash, halt_epoch) ON head TO assize_writer;
GRANT SELECT ON entries, sealed, decisions, effects, snapshots, components, packages, activations, policies, systems,
    keys, key_revocations, tiles, nodes, heads, head, checkpoints, log_keys, cosignatures, exports, stamps, erasures,
    erased, data_subjects, retentions, simulations TO assize_verifier;
GRANT SELECT ON entries, sealed, decisions, effects, packages, activations, policies, systems, exports, erasures,
    data_subjects, retentions, simulations, tiles, nodes, heads, checkpoints, cosignatures, log_keys TO assize_reader;

-- A reader says whose it is: SET LOCAL assize.tenant = '…'. Without that, it sees nothing of any tenant.
DO $$
DECLARE
    name text;
    own constant text := 'tenant = nullif(current_setting(''assize.tenant'', true), '''')';
BEGIN
    FOREACH name IN ARRAY ARRAY['entries', 'sealed', 'decisions', 'effects', 'packages', 'activations', 'policies',
        'systems', 'keys', 'key_revocations', 'log_keys', 'exports', 'stamps', 'erasures', 'data_subjects', 'retentions',
        'simulations']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY host ON %I TO assize_writer, assize_verifier USING (true) WITH CHECK (true)', name);
        EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO assize_reader USING (%s)', name,
            CASE WHEN name IN ('packages', 'activations', 'policies', 'log_keys') THEN 'tenant = '''' OR ' || own
            ELSE own END);
    END LOOP;
END
$$;

RESET ROLE;

-- So that a host, or whoever verifies, can tell which version made all this.
GRANT SELECT ON _sqlx_migrations TO assize_writer, assize_verifier;
