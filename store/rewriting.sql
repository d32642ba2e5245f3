-- A store written anew into `copy`, without the runs in $runs and what nobody refers to then.
-- The store does not know what its records mean: a value is kept if its digest stands
-- anywhere in what is kept.

-- name: drop
DROP TABLE IF EXISTS memory.main.rewriting_mentioned;
DROP TABLE IF EXISTS memory.main.rewriting_carriers;
DROP TABLE IF EXISTS memory.main.rewriting_numbers;

-- name: mentioned
CREATE TABLE memory.main.rewriting_mentioned AS
WITH kept AS (
    SELECT head, body FROM s.journal WHERE NOT list_contains($runs, split_part(head, chr(31), 1))
)
SELECT DISTINCT digest FROM (
    SELECT unnest(regexp_extract_all(body, '"([0-9a-f]{32})"', 1)) AS digest FROM kept
    UNION ALL
    SELECT right(head, 32) FROM kept
    WHERE split_part(head, chr(31), 7) <> ''
        AND NOT starts_with(head, chr(31) || 'value' || chr(31))
);

-- name: carriers
-- Of the rows that describe a value, the one whose payload counts.
CREATE TABLE memory.main.rewriting_carriers AS
SELECT right(head, 32) AS digest, max(seq) AS seq FROM s.journal WHERE meta IS NOT NULL
GROUP BY digest
HAVING digest IN (SELECT digest FROM memory.main.rewriting_mentioned);

-- name: numbers
-- What is kept, with its new number. Of a run that goes, what carries a value stays as a
-- record of nobody's; so do those that an earlier rewriting has left.
CREATE TABLE memory.main.rewriting_numbers AS
SELECT seq, is_whole, carries, row_number() OVER (ORDER BY seq) AS new FROM (
    SELECT
        journal.seq AS seq,
        carrier.seq IS NOT NULL AS carries,
        NOT list_contains($runs, split_part(head, chr(31), 1))
            AND NOT starts_with(head, chr(31) || 'value' || chr(31)) AS is_whole
    FROM s.journal AS journal
    LEFT JOIN memory.main.rewriting_carriers AS carrier ON journal.seq = carrier.seq
)
WHERE is_whole OR carries;

-- name: journal
INSERT INTO copy.main.journal
SELECT
    new,
    CASE WHEN is_whole THEN head ELSE array_to_string(
        list_concat(['', 'value'], string_split(head, chr(31))[3:]), chr(31)
    ) END,
    CASE WHEN is_whole THEN body ELSE '{}' END,
    CASE WHEN carries THEN meta END,
    CASE WHEN carries THEN data END
FROM s.journal JOIN memory.main.rewriting_numbers USING (seq);

-- name: meta
-- Views are made again at leisure.
INSERT INTO copy.main.meta
SELECT key, arg_max(value, rowid) FROM s.meta WHERE key <> 'views' GROUP BY key;

-- name: found
SELECT
    (SELECT count(*) FROM copy.main.journal),
    (SELECT coalesce(max(seq), 0) FROM copy.main.journal),
    (SELECT count(*) FROM memory.main.rewriting_numbers),
    (SELECT count(DISTINCT right(head, 32)) FROM copy.main.journal WHERE meta IS NOT NULL),
    (SELECT count(*) FROM memory.main.rewriting_carriers);
