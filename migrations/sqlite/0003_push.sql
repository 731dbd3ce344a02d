-- Gateways that can own push subscriptions. Every time is the store's own, so that no two clocks are ever compared.
create table push_node (
    node_id text primary key,
    process_id text not null,            -- random per process: what a dead process owned is not its successor's
    incarnation bigint not null,
    tags text not null,
    environments text not null,          -- "<organization>/<environment>", those that it serves
    ready boolean not null,              -- holds everything that it should run: may be given something
    draining boolean not null,           -- is about to stop: keeps what it runs until it gives it back
    alive_until text not null
);

-- Who runs a push subscription: one row for each, at most one owner.
create table push_lease (
    subscription_id blob primary key references subscriptions (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    api_id text not null,                -- as in `deployed`
    wanted boolean not null,             -- accepted, and started by its consumer
    generation bigint not null,          -- +1 whenever it is given to somebody
    node_id text,                        -- owner; null: nobody
    process_id text,
    state text not null,                 -- definition::consumer::PushState, as its owner said last
    reason text not null,                -- why it is in that state, for people
    changed_at text not null
);
create index push_lease_by_api on push_lease (organization_id, environment_id, api_id);

-- An id is sixteen bytes here and text in `deployed`.
insert into push_lease
    (subscription_id, organization_id, environment_id, api_id, wanted, generation, state, reason, changed_at)
select s.id, s.organization_id, s.environment_id,
       lower(substr(hex(s.api_id), 1, 8) || '-' || substr(hex(s.api_id), 9, 4) || '-' || substr(hex(s.api_id), 13, 4)
             || '-' || substr(hex(s.api_id), 17, 4) || '-' || substr(hex(s.api_id), 21, 12)),
       s.status = 'ACCEPTED' and s.consumer_status = 'STARTED', 0, 'waiting', '', s.updated_at
from subscriptions s join plans p on p.id = s.plan_id
where json_extract(p.definition, '$.security.type') = 'subscription';
