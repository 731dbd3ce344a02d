-- Applications: who subscribes.
create table applications (
    id uuid primary key,
    organization_id text not null,
    environment_id text not null,
    name text not null,
    definition jsonb not null,           -- definition::application::Application
    client_id text,                      -- what its tokens carry
    status text not null,                -- ACTIVE, ARCHIVED
    primary_owner uuid not null references users (id),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    foreign key (organization_id, environment_id) references environments (organization_id, id)
);
create index applications_by_environment on applications (organization_id, environment_id, name, id);
create unique index applications_client_id on applications (organization_id, environment_id, client_id)
    where status = 'ACTIVE' and client_id is not null;

create table subscriptions (
    id uuid primary key,
    organization_id text not null,
    environment_id text not null,
    api_id uuid not null references apis (id) on delete cascade,
    plan_id uuid not null references plans (id) on delete cascade,
    application_id uuid not null references applications (id),
    status text not null,                -- PENDING, ACCEPTED, REJECTED, PAUSED, CLOSED
    consumer_status text not null,       -- STARTED, STOPPED, FAILURE
    channel text not null,               -- of a push subscription; '' without one
    configuration jsonb,                 -- definition::subscription::ConsumerConfiguration
    metadata jsonb not null,
    history jsonb not null,              -- who did what when, for people
    starting_at timestamptz,
    ending_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index subscriptions_by_api on subscriptions (api_id, created_at, id);
create index subscriptions_by_application on subscriptions (application_id, created_at, id);
create index subscriptions_by_end on subscriptions (ending_at) where status in ('ACCEPTED', 'PAUSED');
create unique index subscriptions_live on subscriptions (plan_id, application_id, channel)
    where status in ('PENDING', 'ACCEPTED', 'PAUSED');

create table api_keys (
    id uuid primary key,
    subscription_id uuid not null references subscriptions (id) on delete cascade,
    hash text not null,                  -- SHA-256, lower-case hexadecimal: what gateways get
    sealed bytea not null,               -- the key itself, encrypted: nonce, then ciphertext
    revoked boolean not null,
    paused boolean not null,
    expire_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create index api_keys_by_subscription on api_keys (subscription_id);
create index api_keys_by_hash on api_keys (hash);

-- Which key seals this store, so that a node with another one, or with none, is found at its start.
create table seal (
    one integer primary key check (one = 1),
    fingerprint text not null
);
