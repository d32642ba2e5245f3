-- Everything the store asks of its file. `s` is the attached file.

-- name: settings
SET threads = 1;
SET async_threads = 1;
SET memory_limit = '256MB';
SET wal_autocheckpoint = '64MB';
SET wal_autocheckpoint_entries = 30000;
SET checkpoint_on_detach = 'DISABLED';
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET preserve_insertion_order = true;
SET python_enable_replacements = false;
SET enable_progress_bar = false;
PRAGMA disable_checkpoint_on_shutdown;

-- name: attach
ATTACH ? AS s (TYPE duckdb, ROW_GROUP_SIZE 16384);

-- name: create_data
CREATE SCHEMA IF NOT EXISTS s.data;

-- name: has_data
SELECT count(*) > 0 FROM duckdb_schemas() WHERE database_name = 's' AND schema_name = 'data';

-- name: write_row
INSERT INTO s.main.journal VALUES (?, ?, ?, ?, ?);

-- name: data
-- What the user has made, in the order in which it was made. Constraints and indexes that
-- belong to a table are part of its definition.
SELECT kind, name, sql FROM (
    SELECT 'type' AS kind, type_name AS name, type_oid AS oid,
        format('CREATE TYPE "data"."{}" AS ENUM ({})', type_name, list_aggregate(
            list_transform(labels, lambda label: '''' || replace(label, '''', '''''') || ''''),
            'string_agg', ', '
        )) AS sql
    FROM duckdb_types()
    WHERE database_name = 's' AND schema_name = 'data' AND logical_type = 'ENUM'
    UNION ALL
    SELECT 'sequence', sequence_name, sequence_oid, CASE WHEN last_value IS NULL THEN sql
        ELSE regexp_replace(sql, 'START (WITH )?-?\d+', 'START ' || (last_value + increment_by)) END
    FROM duckdb_sequences()
    WHERE database_name = 's' AND schema_name = 'data'
    UNION ALL
    SELECT 'table', table_name, table_oid, sql FROM duckdb_tables()
    WHERE database_name = 's' AND schema_name = 'data'
    UNION ALL
    SELECT 'view', view_name, view_oid, sql FROM duckdb_views()
    WHERE database_name = 's' AND schema_name = 'data' AND NOT internal
    UNION ALL
    SELECT 'index', index_name, index_oid, sql FROM duckdb_indexes()
    WHERE database_name = 's' AND schema_name = 'data' AND sql IS NOT NULL
) ORDER BY list_position(['type', 'sequence', 'table', 'view', 'index'], kind), oid;

-- name: tables
SELECT table_name FROM duckdb_tables() WHERE database_name = 's';

-- name: extent
SELECT count(*), coalesce(min(seq), 0), coalesce(max(seq), 0) FROM s.main.journal;

-- name: last_seq
SELECT coalesce(max(seq), 0) FROM s.journal;

-- name: read_meta
SELECT key, value FROM s.meta ORDER BY rowid;

-- name: write_meta
INSERT INTO s.meta VALUES (?, ?);

-- name: rows
-- These four give the rows in the order they were inserted in, which is that of `seq`:
-- sorting them once more would take as long as reading them. The reader looks all the same.
SELECT seq, head, body FROM s.journal WHERE seq > $after AND seq <= $until;

-- name: rows_of_kinds
-- $sought is what a row of the one kind that is wanted contains, or empty: most rows are
-- passed over in half the time.
SELECT seq, head, body FROM s.journal
WHERE seq > $after AND seq <= $until AND contains(head, $sought)
  AND list_contains($kinds, split_part(head, chr(31), 2));

-- name: rows_of_run
SELECT seq, head, body FROM s.journal
WHERE seq > $after AND seq <= $until AND starts_with(head, $run || chr(31));

-- name: rows_of_run_and_kinds
SELECT seq, head, body FROM s.journal
WHERE seq > $after AND seq <= $until AND starts_with(head, $run || chr(31))
  AND contains(head, $sought) AND list_contains($kinds, split_part(head, chr(31), 2));

-- name: latest
WITH last AS (
    SELECT max(seq) AS seq
    FROM (
        SELECT seq, string_split(head, chr(31)) AS part FROM s.journal
        WHERE starts_with(head, $run || chr(31))
    )
    WHERE list_contains($kinds, part[2])
    GROUP BY part[3], part[4]
)
SELECT seq, head, body FROM s.journal SEMI JOIN last USING (seq) ORDER BY seq;

-- name: carriers
-- The last row that describes each blob: the one whose payload counts.
SELECT right(head, 32) AS digest, max(seq) FROM s.journal
WHERE meta IS NOT NULL AND right(head, 32) IN (SELECT unnest($digests))
GROUP BY digest;

-- name: payloads
SELECT right(head, 32), meta, data FROM s.journal WHERE seq IN (SELECT unnest($seqs));

-- name: payload
SELECT right(head, 32), meta, data FROM s.journal WHERE seq = $seq;

-- name: checkpoint
CHECKPOINT s;

-- name: attach_copy
ATTACH ? AS copy (TYPE duckdb, ROW_GROUP_SIZE 16384);

-- name: copy
COPY FROM DATABASE s TO copy;

-- name: checkpoint_copy
CHECKPOINT copy;

-- name: detach_copy
DETACH DATABASE IF EXISTS copy;

-- name: in_files
SELECT DISTINCT right(head, 32) FROM s.journal WHERE contains(meta, '"file":true');

-- name: numbering
SELECT count(*), count(DISTINCT seq), coalesce(min(seq), 0), coalesce(max(seq), 0) FROM s.journal;

-- name: described
SELECT right(head, 32), split_part(head, chr(31), 3), meta, data FROM s.journal
SEMI JOIN (
    SELECT max(seq) AS seq FROM s.journal WHERE meta IS NOT NULL GROUP BY right(head, 32)
) USING (seq)
ORDER BY seq;
