-- Tenancy and users.
create table organizations (
    id text primary key,
    name text not null
);
create table environments (
    id text not null,
    organization_id text not null references organizations (id),
    name text not null,
    primary key (organization_id, id)
);
create table users (
    id blob primary key,
    name text not null constraint users_name_unique unique,
    password_hash text not null,
    created_at text not null
);

-- APIs and plans. `definition` is the one canonical form (definition::api::Api).
create table apis (
    id blob primary key,
    organization_id text not null,
    environment_id text not null,
    name text not null,
    definition text not null,
    state text not null,                 -- STOPPED, STARTED
    version integer not null,             -- +1 with every change: the ETag
    primary_owner blob not null references users (id),
    published_digest blob,              -- content last published by deploy or first start
    published_at text,            -- deployedAt
    created_at text not null,
    updated_at text not null,
    foreign key (organization_id, environment_id) references environments (organization_id, id)
);
create index apis_by_environment on apis (organization_id, environment_id, name, id);

-- Context paths, one row per path, so that uniqueness is decided inside the transaction that saves an API.
create table api_paths (
    api_id blob not null references apis (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    host text not null,                  -- '' without host
    path text not null,
    primary key (api_id, host, path),
    constraint api_paths_unique unique (organization_id, environment_id, host, path)
);

create table plans (
    id blob primary key,
    api_id blob not null references apis (id) on delete cascade,
    definition text not null,           -- definition::plan::Plan
    status text not null,                -- staging, published, deprecated, closed
    position integer not null,           -- `order`
    created_at text not null,
    updated_at text not null,
    published_at text,
    closed_at text
);
create index plans_by_api on plans (api_id, position);

create table audit (
    id blob primary key,
    organization_id text not null,
    environment_id text not null,
    actor text not null,
    action text not null,
    subject_kind text not null,
    subject_id text not null,
    at text not null
);
create index audit_by_subject on audit (subject_kind, subject_id, at);

-- Control plane: see ARCHITECTURE.md "Deploy log".
create table control_meta (
    one integer primary key check (one = 1),
    epoch blob not null
);
create table env_head (
    organization_id text not null,
    environment_id text not null,
    head_rev integer not null,
    primary key (organization_id, environment_id)
);
create table resource_version (
    digest blob primary key,
    kind text not null,
    schema_version integer not null,
    body blob not null,
    created_at text not null
);
create table deployed (
    organization_id text not null,
    environment_id text not null,
    kind text not null,
    id text not null,
    rev integer not null,
    digest blob,                        -- null: tombstone
    tags text not null,
    deployment_id blob,
    primary key (organization_id, environment_id, kind, id)
);
create table deployment (
    id blob primary key,
    organization_id text not null,
    environment_id text not null,
    rev integer not null,
    kind text not null,
    resource_id text not null,
    op text not null,                    -- publish, start, stop, delete
    digest blob,
    label text,
    actor text not null,
    at text not null
);
create index deployment_by_resource on deployment (organization_id, environment_id, kind, resource_id, rev);
create table deploy_log (
    organization_id text not null,
    environment_id text not null,
    rev integer not null,
    ord integer not null,
    kind text not null,
    id text not null,
    op text not null,                    -- upsert, delete
    digest blob,
    deployment_id blob,
    at text not null,
    primary key (organization_id, environment_id, rev, ord)
);

-- Gateways and what they serve: a watermark per node and environment, plus exceptions.
create table gateway_node (
    id text primary key,
    incarnation integer not null,
    build text not null,
    hostname text not null,
    port integer not null,
    tags text not null,
    replica_id text not null,
    state text not null,                 -- STARTED, STOPPED
    started_at text not null,
    seen_at text not null,
    stopped_at text
);
create table gateway_env (
    node_id text not null references gateway_node (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    received_rev integer not null,
    active_rev integer not null,
    active_digest blob,
    expected_digest blob,
    updated_at text not null,
    primary key (node_id, organization_id, environment_id)
);
create table gateway_issue (
    node_id text not null references gateway_node (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    kind text not null,
    id text not null,
    digest blob,
    level text not null,                 -- rejected, degraded
    code text not null,
    path text not null,
    message text not null,
    build text not null,
    at text not null,
    primary key (node_id, organization_id, environment_id, kind, id)
);
