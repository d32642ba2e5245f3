-- What people read. These views are public: columns are added, never renamed or removed.
--
-- Times are TIMESTAMP in UTC. Texts are empty, and other columns NULL, where nothing is known.
-- `values` may be written as it is, or quoted, or as `stored_values`.

-- Everything, in the order it happened. All other views are made from this one.
CREATE OR REPLACE VIEW records AS
SELECT
    seq,                                               -- 1, 2, 3 ... without gaps
    part[1] AS run,
    part[2] AS kind,                                   -- what happened: run_started, attempt_completed ...
    part[3] AS step,
    part[4] AS item,                                   -- the item of a mapped step
    CAST(part[5] AS INTEGER) AS attempt,
    make_timestamp(CAST(part[6] AS BIGINT)) AS time,
    part[7] AS digest,                                 -- of the value it carries; see `values`
    CAST(body AS JSON) AS body,                        -- the particulars
    CAST(meta AS JSON) AS meta                         -- of the value, where this record wrote it
FROM (SELECT seq, string_split(head, chr(31)) AS part, body, meta FROM journal);

-- The same, with attempts that began together, and were written as one record, one by one.
CREATE OR REPLACE VIEW happenings AS
SELECT seq, 0 AS place, run, kind, step, item, attempt, time, digest, body
FROM records WHERE kind <> 'attempts_started'
UNION ALL
SELECT
    seq,
    place,                                             -- within the record
    run,
    'attempt_started',
    start ->> '$[0]',
    start ->> '$[1]',
    CAST(start ->> '$[2]' AS INTEGER),
    make_timestamp(CAST(start ->> '$[3]' AS BIGINT)),
    '',
    start -> '$[4]'
FROM (
    SELECT seq, run, unnest(starts) AS start, unnest(range(len(starts))) AS place
    FROM (
        SELECT seq, run, CAST(body -> '$.starts' AS JSON[]) AS starts
        FROM records WHERE kind = 'attempts_started'
    )
);

-- One row per run.
CREATE OR REPLACE VIEW runs AS
SELECT
    run,
    coalesce(any_value(body ->> '$.flow') FILTER (kind = 'run_started'), '') AS flow,
    CASE arg_max(kind, seq) FILTER (
        kind IN ('run_settled', 'run_cancelled', 'steps_requested', 'attempt_started')
    )
        WHEN 'run_settled' THEN arg_max(body ->> '$.status', seq) FILTER (kind = 'run_settled')
        WHEN 'run_cancelled' THEN 'cancelled'
        ELSE 'active'                                  -- under way, or to be resumed
    END AS status,
    min(time) FILTER (kind = 'run_started') AS started,
    max(time) AS last_event,
    count(*) FILTER (kind = 'attempt_started') AS attempts,
    count(DISTINCT step) FILTER (kind = 'attempt_completed') AS steps_completed,
    coalesce(sum(CAST(body ->> '$.seconds' AS DOUBLE)) FILTER (
        kind IN ('attempt_completed', 'attempt_failed')
    ), 0) AS seconds,                                  -- of all attempts together
    coalesce(any_value(body ->> '$.notebook') FILTER (kind = 'run_started'), '') AS notebook,
    coalesce(any_value(body ->> '$.parent') FILTER (kind = 'run_started'), '') AS parent,
    coalesce(any_value(body ->> '$.user') FILTER (kind = 'run_started'), '') AS "user",
    coalesce(any_value(body ->> '$.host') FILTER (kind = 'run_started'), '') AS host,
    coalesce(any_value(body ->> '$.forked_from') FILTER (kind = 'run_started'), '') AS forked_from,
    coalesce(any_value(body ->> '$.step') FILTER (kind = 'run_started'), '') AS caller, -- the step of the parent that called it
    coalesce(any_value(CAST(body ->> '$.depth' AS INTEGER)) FILTER (kind = 'run_started'), 0)
        AS depth                                       -- how many runs it is below the one nobody called
FROM happenings
WHERE run <> ''
GROUP BY run
ORDER BY min(seq);

-- One row per attempt at a step, or at one item of it.
CREATE OR REPLACE VIEW attempts AS
SELECT
    run,
    step,
    item,
    attempt,
    CASE arg_max(kind, seq)
        WHEN 'attempt_started' THEN 'started'          -- running, or in doubt after a crash
        ELSE replace(arg_max(kind, seq), 'attempt_', '')
    END AS status,                                     -- started, completed, failed, interrupted
    min(time) FILTER (kind = 'attempt_started') AS started,
    max(time) FILTER (kind <> 'attempt_started') AS finished,
    CAST(arg_max(body ->> '$.seconds', seq) FILTER (kind <> 'attempt_started') AS DOUBLE) AS seconds,
    coalesce(any_value(body ->> '$.worker') FILTER (kind = 'attempt_started'), 'kernel') AS worker,
    coalesce(any_value(body ->> '$.key') FILTER (kind = 'attempt_started'), '') AS idempotency_key,
    coalesce(json_keys(arg_max(body -> '$.outputs', seq) FILTER (kind = 'attempt_completed')), [])
        AS outputs,                                    -- the names it wrote
    coalesce(arg_max(body ->> '$.error.type', seq) FILTER (kind = 'attempt_failed'), '') AS error_type,
    coalesce(arg_max(body ->> '$.error.message', seq) FILTER (kind = 'attempt_failed'), '') AS error,
    coalesce(arg_max(body ->> '$.error.traceback', seq) FILTER (kind = 'attempt_failed'), '')
        AS traceback,
    coalesce(arg_max(body ->> '$.log', seq) FILTER (kind <> 'attempt_started'), '')
        AS log                                         -- digest of what it printed; see `values`
FROM happenings
WHERE kind IN ('attempt_started', 'attempt_completed', 'attempt_failed', 'attempt_interrupted')
GROUP BY run, step, item, attempt
ORDER BY min(seq), min(place);

-- One row per step of a run, as it stands now.
CREATE OR REPLACE VIEW steps AS
WITH happened AS (
    -- What happens to an item is no news of its step.
    SELECT seq, time, run, if(item = '', kind, 'item_' || kind) AS kind, step, item, body
    FROM happenings
    WHERE kind IN (
        'attempt_started', 'attempt_completed', 'attempt_failed', 'attempt_interrupted',
        'step_reused', 'step_forgotten', 'checkpoint_shared'
    )
    UNION ALL
    SELECT seq, time, run, kind, unnest(json_keys(body -> '$.environments')), '', NULL FROM records
    WHERE kind = 'steps_requested'
    UNION ALL
    SELECT seq, time, run, kind, step ->> '$.name', '', step
    FROM (
        SELECT seq, time, run, kind, unnest(CAST(body -> '$.steps' AS JSON[])) AS step FROM records
        WHERE kind = 'steps_defined'
    )
)
SELECT
    run,
    step,
    CASE arg_max(kind, seq) FILTER (item = '' AND kind <> 'steps_defined')
        WHEN 'steps_requested' THEN 'pending'
        WHEN 'attempt_started' THEN 'started'
        WHEN 'attempt_completed' THEN 'completed'
        WHEN 'attempt_failed' THEN 'failed'
        WHEN 'attempt_interrupted' THEN 'interrupted'
        WHEN 'step_reused' THEN 'reused'
        WHEN 'checkpoint_shared' THEN 'shared'         -- with the run that this one was forked from
        WHEN 'step_forgotten' THEN 'forgotten'
        ELSE 'defined'
    END AS status,
    count(*) FILTER (kind = 'attempt_started') AS attempts,
    count(DISTINCT item) FILTER (item <> '') AS items,
    count(DISTINCT item) FILTER (kind = 'item_attempt_completed') AS items_done,
    max(time) FILTER (kind = 'attempt_started') AS started,
    max(time) FILTER (kind IN ('attempt_completed', 'attempt_failed', 'attempt_interrupted'))
        AS finished,
    CAST(arg_max(body ->> '$.seconds', seq) FILTER (
        kind IN ('attempt_completed', 'checkpoint_shared')
    ) AS DOUBLE) AS seconds,
    coalesce(json_keys(arg_max(body -> '$.outputs', seq) FILTER (
        kind IN ('attempt_completed', 'checkpoint_shared')
    )), [])
        AS outputs,
    CASE WHEN arg_max(kind, seq) FILTER (item = '' AND kind <> 'steps_defined') = 'attempt_failed'
        THEN concat_ws(
            ': ',
            arg_max(body ->> '$.error.type', seq) FILTER (kind = 'attempt_failed'),
            arg_max(body ->> '$.error.message', seq) FILTER (kind = 'attempt_failed')
        )
        ELSE ''
    END AS error,
    coalesce(arg_max(body ->> '$.source', seq) FILTER (kind = 'steps_defined'), '') AS source
FROM happened
WHERE step <> ''
GROUP BY run, step
ORDER BY min(seq);

-- One row per durable call inside a step: a model request, a tool, an HTTP request.
CREATE OR REPLACE VIEW calls AS
SELECT
    seq,
    run,
    step,
    item,
    attempt,
    coalesce(body ->> '$.name', '') AS name,
    coalesce(body ->> '$.call', '') AS key,            -- what the call is: path, name, arguments, how-many-th
    replace(kind, 'call_', '') AS status,              -- completed, failed
    time AS finished,
    CAST(body ->> '$.seconds' AS DOUBLE) AS seconds,
    coalesce(body ->> '$.arguments', '') AS arguments, -- a preview
    coalesce(body ->> '$.result.preview', '') AS result,
    digest,                                            -- of the result; see `values`
    CAST(body ->> '$.usage.cost' AS DOUBLE) AS cost,
    coalesce(body ->> '$.error.type', '') AS error_type,
    coalesce(body ->> '$.error.message', '') AS error,
    coalesce(CAST(body ->> '$.attempts' AS INTEGER), 1) AS attempts, -- tries, until it succeeded or was given up
    CAST(body ->> '$.usage.input_tokens' AS BIGINT) AS input_tokens,
    CAST(body ->> '$.usage.output_tokens' AS BIGINT) AS output_tokens,
    coalesce(body ->> '$.usage.model', '') AS model,
    regexp_replace(coalesce(body ->> '$.call', ''), '/?[^/]*$', '') AS within -- the call it was made in
FROM records
WHERE kind IN ('call_completed', 'call_failed') AND body ->> '$.name' <> ''
ORDER BY seq;

-- What was consumed: one row per run, step, function and model.
CREATE OR REPLACE VIEW costs AS
SELECT
    run,
    step,
    coalesce(body ->> '$.name', '') AS name,           -- the function called; empty for the step's own code
    coalesce(body ->> '$.usage.model', '') AS model,
    count(*) FILTER (body ->> '$.name' <> '') AS calls,
    coalesce(sum(CAST(body ->> '$.usage.input_tokens' AS BIGINT)), 0) AS input_tokens,
    coalesce(sum(CAST(body ->> '$.usage.output_tokens' AS BIGINT)), 0) AS output_tokens,
    coalesce(sum(CAST(body ->> '$.usage.cost' AS DOUBLE)), 0) AS cost,
    coalesce(sum(CAST(body ->> '$.seconds' AS DOUBLE)), 0) AS seconds,
    min(time) AS first_call,
    max(time) AS last_call
FROM records
WHERE kind IN ('call_completed', 'call_failed')
GROUP BY run, step, name, model
ORDER BY min(seq);

-- One row per question to a person.
CREATE OR REPLACE VIEW approvals AS
SELECT
    body ->> '$.approval' AS approval,
    any_value(run) AS run,
    any_value(step) AS step,
    any_value(item) AS item,
    coalesce(any_value(body ->> '$.question') FILTER (kind = 'approval_requested'), '') AS question,
    any_value(body -> '$.payload') FILTER (kind = 'approval_requested') AS payload,
    coalesce(arg_min(body ->> '$.decision', seq) FILTER (kind = 'approval_decided'), 'pending')
        AS status,                                     -- pending, or the first decision
    min(time) FILTER (kind = 'approval_requested') AS requested,
    min(time) FILTER (kind = 'approval_decided') AS decided,
    coalesce(arg_min(body ->> '$.by', seq) FILTER (kind = 'approval_decided'), '') AS decided_by,
    coalesce(arg_min(body ->> '$.note', seq) FILTER (kind = 'approval_decided'), '') AS note,
    coalesce(arg_min(body ->> '$.channel', seq) FILTER (kind = 'approval_decided'), '') AS channel,
    coalesce(any_value(body ->> '$.tool') FILTER (kind = 'approval_requested'), '') AS tool,
    coalesce(any_value(body ->> '$.payload.digest') FILTER (kind = 'approval_requested'), '')
        AS payload_digest,                             -- of what was decided about; see `values`
    make_timestamp(CAST(any_value(body ->> '$.due') FILTER (kind = 'approval_requested') AS BIGINT))
        AS due                                         -- when its time is up; NULL for never
FROM records
WHERE kind IN ('approval_requested', 'approval_decided')
GROUP BY approval
ORDER BY min(seq);

-- One row per stored value. The values themselves: `Store.blob(digest)`.
CREATE OR REPLACE VIEW stored_values AS
WITH written AS (
    SELECT
        digest,
        min(seq) AS seq,
        arg_min(run, seq) AS run,
        arg_min(step, seq) AS step,
        min(time) AS written,
        arg_max(meta, seq) AS meta
    FROM records
    WHERE meta IS NOT NULL
    GROUP BY digest
),
named AS (
    SELECT
        body ->> ('$.outputs."' || name || '".digest') AS digest,
        list(DISTINCT step || '.' || name) AS outputs
    FROM (
        SELECT step, body, unnest(json_keys(body -> '$.outputs')) AS name FROM records
        WHERE kind IN ('attempt_completed', 'checkpoint_shared')
    )
    GROUP BY ALL
)
SELECT
    digest,
    coalesce(outputs, []) AS outputs,                  -- as `step.name`, wherever it is an output
    meta ->> '$.type' AS type,                         -- dict, pandas.DataFrame ...
    meta ->> '$.preview' AS preview,                   -- readable JSON or text, shortened
    CAST(meta ->> '$.size' AS BIGINT) AS size,         -- bytes, encoded
    CAST(meta ->> '$.stored' AS BIGINT) AS stored,     -- bytes on disk, compressed
    meta ->> '$.codec' AS codec,
    CASE WHEN CAST(meta ->> '$.file' AS BOOLEAN) THEN 'file' ELSE 'row' END AS place,
    meta ->> '$.signature' <> '' AS signed,            -- a pickle, under somebody's key
    written,
    run,                                               -- where it was written first
    step,
    seq
FROM written LEFT JOIN named USING (digest)
ORDER BY seq;

CREATE OR REPLACE VIEW "values" AS SELECT * FROM stored_values;
