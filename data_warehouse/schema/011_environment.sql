-- Environments beside prod: who asked for one, how long it may stay, and what was begun and not finished.
-- The registry is prod's; in an environment of its own the table is empty. docs/environments.md
create table if not exists {{ ops }}.environment (
    name text primary key,
    role text not null,
    origin text not null check (origin in ('prod', 'empty')),
    state text not null check (state in ('creating', 'ready', 'dropping')),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    detached_at timestamptz,
    base_known bigint not null default 0,
    contracts text,
    created_by text not null
);
comment on table {{ ops }}.environment is
'Environments beside prod. Grain: name. Anything but ready is finished by the next create, drop or gc.';
comment on column {{ ops }}.environment.role is 'Role that owns its schemas; it can write nowhere else.';
comment on column {{ ops }}.environment.origin is 'What it began with: the data of prod, or nothing.';
comment on column {{ ops }}.environment.expires_at is 'From then on it takes no more loads, and gc drops it.';
comment on column {{ ops }}.environment.detached_at is
'When it got tables of its own; null while it reads those of prod.';
comment on column {{ ops }}.environment.base_known is 'The last load of prod that it began with.';
comment on column {{ ops }}.environment.contracts is 'Folder of contracts that it was last loaded with.';
