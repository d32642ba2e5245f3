CREATE OR REPLACE VIEW records AS
SELECT
    seq,
    part[1] AS run,
    part[2] AS kind,
    part[3] AS step,
    part[4] AS item,
    CAST(part[5] AS INTEGER) AS attempt,
    make_timestamp(CAST(part[6] AS BIGINT)) AS time,
    part[7] AS digest,
    body,
    meta
FROM (SELECT seq, string_split(head, chr(31)) AS part, body, meta FROM journal);
