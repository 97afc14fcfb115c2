-- name: SeeDevice :one
-- Remembers a device, and answers whether the user has others and was not on this one since a time.
WITH earlier AS (
    SELECT count(*) AS devices, coalesce(bool_or(d.device = @device AND d.network = @network AND d.last_seen_at > @since::timestamptz), false) AS known
      FROM account_devices d WHERE d.user_id = @user_id
), seen AS (
    INSERT INTO account_devices AS a (user_id, device, network, first_seen_at, last_seen_at)
    VALUES (@user_id, @device, @network, @at::timestamptz, @at::timestamptz)
    ON CONFLICT (user_id, device, network) DO UPDATE SET last_seen_at = excluded.last_seen_at
)
SELECT (e.devices > 0 AND NOT e.known)::boolean AS is_new FROM earlier e;

-- name: TrimDevices :exec
-- Keeps so many of a user's devices, those that were seen last.
DELETE FROM account_devices d
 WHERE d.user_id = @user_id
   AND (d.device, d.network) IN (SELECT o.device, o.network FROM account_devices o WHERE o.user_id = @user_id
                                  ORDER BY o.last_seen_at DESC, o.device, o.network OFFSET @keep::integer);

-- name: ListDevices :many
SELECT device, network, first_seen_at, last_seen_at FROM account_devices WHERE user_id = @user_id ORDER BY last_seen_at DESC, device, network;

-- name: KnowsNetwork :one
-- Whether the user was on a device of a network since a time.
SELECT EXISTS (SELECT FROM account_devices d WHERE d.user_id = @user_id AND d.network = @network AND d.last_seen_at > @since::timestamptz)::boolean;
