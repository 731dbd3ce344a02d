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
    id uuid primary key,
    name text not null constraint users_name_unique unique,
    password_hash text not null,
    created_at timestamptz not null
);

-- APIs and plans. `definition` is the one canonical form (definition::api::Api).
create table apis (
    id uuid primary key,
    organization_id text not null,
    environment_id text not null,
    name text not null,
    definition jsonb not null,
    state text not null,                 -- STOPPED, STARTED
    version bigint not null,             -- +1 with every change: the ETag
    primary_owner uuid not null references users (id),
    published_digest bytea,              -- content last published by deploy or first start
    published_at timestamptz,            -- deployedAt
    created_at timestamptz not null,
    updated_at timestamptz not null,
    foreign key (organization_id, environment_id) references environments (organization_id, id)
);
create index apis_by_environment on apis (organization_id, environment_id, name, id);

-- Context paths, one row per path, so that uniqueness is decided inside the transaction that saves an API.
create table api_paths (
    api_id uuid not null references apis (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    host text not null,                  -- '' without host
    path text not null,
    primary key (api_id, host, path),
    constraint api_paths_unique unique (organization_id, environment_id, host, path)
);

create table plans (
    id uuid primary key,
    api_id uuid not null references apis (id) on delete cascade,
    definition jsonb not null,           -- definition::plan::Plan
    status text not null,                -- staging, published, deprecated, closed
    position integer not null,           -- `order`
    created_at timestamptz not null,
    updated_at timestamptz not null,
    published_at timestamptz,
    closed_at timestamptz
);
create index plans_by_api on plans (api_id, position);

create table audit (
    id uuid primary key,
    organization_id text not null,
    environment_id text not null,
    actor text not null,
    action text not null,
    subject_kind text not null,
    subject_id text not null,
    at timestamptz not null
);
create index audit_by_subject on audit (subject_kind, subject_id, at);

-- Control plane: see ARCHITECTURE.md "Deploy log".
create table control_meta (
    one integer primary key check (one = 1),
    epoch uuid not null
);
create table env_head (
    organization_id text not null,
    environment_id text not null,
    head_rev bigint not null,
    primary key (organization_id, environment_id)
) with (fillfactor = 10);
create table resource_version (
    digest bytea primary key,
    kind text not null,
    schema_version integer not null,
    body bytea not null,
    created_at timestamptz not null
);
create table deployed (
    organization_id text not null,
    environment_id text not null,
    kind text not null,
    id text not null,
    rev bigint not null,
    digest bytea,                        -- null: tombstone
    tags jsonb not null,
    deployment_id uuid,
    primary key (organization_id, environment_id, kind, id)
);
create table deployment (
    id uuid primary key,
    organization_id text not null,
    environment_id text not null,
    rev bigint not null,
    kind text not null,
    resource_id text not null,
    op text not null,                    -- publish, start, stop, delete
    digest bytea,
    label text,
    actor text not null,
    at timestamptz not null
);
create index deployment_by_resource on deployment (organization_id, environment_id, kind, resource_id, rev);
create table deploy_log (
    organization_id text not null,
    environment_id text not null,
    rev bigint not null,
    ord integer not null,
    kind text not null,
    id text not null,
    op text not null,                    -- upsert, delete
    digest bytea,
    deployment_id uuid,
    at timestamptz not null,
    primary key (organization_id, environment_id, rev, ord)
);

-- Gateways and what they serve: a watermark per node and environment, plus exceptions.
create table gateway_node (
    id text primary key,
    incarnation bigint not null,
    build text not null,
    hostname text not null,
    port integer not null,
    tags jsonb not null,
    replica_id text not null,
    state text not null,                 -- STARTED, STOPPED
    started_at timestamptz not null,
    seen_at timestamptz not null,
    stopped_at timestamptz
);
create table gateway_env (
    node_id text not null references gateway_node (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    received_rev bigint not null,
    active_rev bigint not null,
    active_digest bytea,
    expected_digest bytea,
    updated_at timestamptz not null,
    primary key (node_id, organization_id, environment_id)
);
create table gateway_issue (
    node_id text not null references gateway_node (id) on delete cascade,
    organization_id text not null,
    environment_id text not null,
    kind text not null,
    id text not null,
    digest bytea,
    level text not null,                 -- rejected, degraded
    code text not null,
    path text not null,
    message text not null,
    build text not null,
    at timestamptz not null,
    primary key (node_id, organization_id, environment_id, kind, id)
);
