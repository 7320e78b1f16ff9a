create table if not exists job (
    id text primary key,
    task text not null,
    queue text not null,
    args text not null,
    key text,
    state text not null,
    attempts integer not null default 0,
    max_retries integer not null,
    -- when somebody must look: lease end, or due time; null while a message is on its way
    timer real,
    -- when its message was sent; null unless it waits for a worker
    rung real,
    cancel integer not null default 0,
    progress real,
    result text,
    error text,
    reason text,
    created_at real not null,
    started_at real,
    finished_at real,
    changed_at real not null
);
create unique index if not exists job_key on job (task, key) where key is not null;
create index if not exists job_timer on job (timer) where timer is not null;
create index if not exists job_rung on job (rung) where rung is not null;
create index if not exists job_state on job (state, changed_at);
create table if not exists stat (name text primary key, value integer not null);
