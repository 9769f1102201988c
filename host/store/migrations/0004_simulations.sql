-- What would have come out: reports of simulations, apart from rulings. The report is JSON text.
CREATE TABLE simulations (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    digest BLOB NOT NULL,
    report BLOB NOT NULL,
    at     INTEGER NOT NULL,
    seq    INTEGER PRIMARY KEY
) STRICT;
CREATE UNIQUE INDEX simulations_by_id ON simulations (id);

CREATE TRIGGER simulations_keep_update BEFORE UPDATE ON simulations BEGIN SELECT RAISE(ABORT, 'simulations: rows are never changed'); END;
CREATE TRIGGER simulations_keep_delete BEFORE DELETE ON simulations BEGIN SELECT RAISE(ABORT, 'simulations: rows are never deleted'); END;
