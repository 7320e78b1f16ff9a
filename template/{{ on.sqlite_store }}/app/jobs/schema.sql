create table if not exists job (
    id text primary key,
    task text not null,
    queue text not null,
    args text not null,
    key text,
    state text not null,
    attempts integer not null default 0,
    max_retries integer not null,
    claims integer not null default 0,
    -- when its pause or delay is over; null while it runs or a message is on its way
    timer real,
    -- Two times of the host's steady clock, which nobody sets: until when a worker holds the job, and when
    -- its message was sent; null otherwise. It starts anew with the host: what it has yet to reach is from before.
    lease real,
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
create index if not exists job_lease on job (lease) where lease is not null;
create index if not exists job_rung on job (rung) where rung is not null;
create index if not exists job_state on job (state, changed_at);
create table if not exists stat (name text primary key, value integer not null);
-- The number of jobs in each state: to count them would read the whole backlog for every new job.
create trigger if not exists job_added after insert on job begin
    insert into stat values ('state:' || new.state, 1) on conflict (name) do update set value = value + 1;
end;
create trigger if not exists job_moved after update of state on job when new.state <> old.state begin
    update stat set value = value - 1 where name = 'state:' || old.state;
    insert into stat values ('state:' || new.state, 1) on conflict (name) do update set value = value + 1;
end;
create trigger if not exists job_forgotten after delete on job begin
    update stat set value = value - 1 where name = 'state:' || old.state;
end;
