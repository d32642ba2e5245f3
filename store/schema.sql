-- The tables of a store file. Both are only ever appended to.

-- name: journal
-- One row per record. The fields that people query are packed into one column, because
-- every further column costs a single-record commit some 30 microseconds; `views.sql`
-- takes them apart again. Nothing is compressed here: large payloads come compressed,
-- and DuckDB's own string compression would stall the writer for seconds.
CREATE TABLE journal (
    seq  BIGINT,                             -- 1, 2, 3 ... without gaps
    head VARCHAR USING COMPRESSION uncompressed,  -- run, kind, step, item, attempt, at, digest, separated by U+001F
    body VARCHAR USING COMPRESSION uncompressed,  -- the record's JSON object
    meta VARCHAR USING COMPRESSION uncompressed,  -- what is known of the blob, as JSON; NULL without one
    data BLOB    USING COMPRESSION uncompressed   -- the blob's payload; NULL when it is in a file or elsewhere
);

-- name: meta
-- Small facts about the store itself; of several rows with one key the last one holds.
CREATE TABLE meta (key VARCHAR, value VARCHAR);
