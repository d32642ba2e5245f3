-- What is shown of one step from close by. Only the store's public views are read.

-- name: attempts
SELECT attempt, status, epoch_us(started), coalesce(seconds, 0), worker, error_type, error, traceback, log
FROM attempts WHERE run = ? AND step = ? AND item = ? ORDER BY attempt DESC LIMIT 100;

-- name: calls
SELECT calls.name, calls.status, calls.arguments, calls.result, records.body
FROM calls JOIN records USING (seq)
WHERE calls.run = ? AND calls.step = ? AND (? = '' OR calls.item = ?) ORDER BY seq DESC LIMIT 500;

-- name: approvals
SELECT approval, question, status, epoch_us(requested), coalesce(epoch_us(decided), 0), decided_by, note
FROM approvals WHERE run = ? AND step = ? AND (? = '' OR item = ?) ORDER BY requested DESC LIMIT 100;

-- name: history
-- Attempts at the step in every run of the store.
SELECT
    run,
    attempt,
    epoch_us(min(time)) AS began,
    arg_max(kind, seq) AS last,
    coalesce(any_value(body ->> '$.code') FILTER (kind = 'attempt_started'), '') AS code,
    coalesce(CAST(arg_max(body ->> '$.seconds', seq) AS DOUBLE), 0) AS seconds
FROM happenings
WHERE step = ? AND item = ''
  AND kind IN ('attempt_started', 'attempt_completed', 'attempt_failed', 'attempt_interrupted')
GROUP BY run, attempt ORDER BY began DESC LIMIT 100;

-- name: spans
SELECT
    kind, step, attempt, epoch_us(time),
    coalesce(nullif(body ->> '$.approval', ''), body ->> '$.call', ''),
    coalesce(
        body ->> '$.question', body ->> '$.topic', body ->> '$.agent', body ->> '$.name',
        body ->> '$.reason', ''
    ),
    coalesce(CAST(body ->> '$.retry_at' AS BIGINT), 0)
FROM happenings
WHERE run = ? AND item = ''
  AND kind IN (
    'attempt_started', 'attempt_completed', 'attempt_failed', 'attempt_interrupted',
    'approval_requested', 'approval_decided', 'timer_set', 'message_awaited', 'wait_ended',
    'message_received', 'child_started', 'child_settled', 'call_tried', 'step_reused',
    'checkpoint_shared'
  )
ORDER BY seq, place;
