-- Rally's tables, for a database that has none (PostgreSQL 15 and later). Runs in the transaction of its caller.
-- "[soft]" marks a reference that no environment enforced with a foreign key.
-- "[late]" marks an object that only part of the environments have.
CREATE TABLE leagues (
  id            serial PRIMARY KEY,
  league_id     varchar(255) NOT NULL,
  league_name   varchar(255) NOT NULL,
  league_url    varchar(512),
  created_at    timestamptz DEFAULT now(),
  updated_at    timestamptz DEFAULT now(),
  CONSTRAINT leagues_league_id_key UNIQUE (league_id)
);

CREATE TABLE clubs (
  id            serial PRIMARY KEY,
  name          varchar(255) NOT NULL,
  club_address  varchar(500),
  logo_filename varchar(500),
  updated_at    timestamptz DEFAULT now(),
  CONSTRAINT clubs_name_key UNIQUE (name)
);

CREATE TABLE club_leagues (
  id         serial PRIMARY KEY,
  club_id    integer NOT NULL CONSTRAINT club_leagues_club_id_fkey   REFERENCES clubs(id),
  league_id  integer NOT NULL CONSTRAINT club_leagues_league_id_fkey REFERENCES leagues(id),
  created_at timestamptz DEFAULT now(),
  CONSTRAINT unique_club_league UNIQUE (club_id, league_id)
);

CREATE TABLE series (
  id           serial PRIMARY KEY,
  name         varchar(255) NOT NULL,
  display_name varchar(255) NOT NULL,
  league_id    integer NOT NULL CONSTRAINT fk_series_league_id REFERENCES leagues(id) ON UPDATE CASCADE ON DELETE RESTRICT,
  updated_at   timestamptz DEFAULT now(),
  CONSTRAINT uq_series_league_name UNIQUE (league_id, name)
);

CREATE TABLE series_leagues (               -- legacy junction, dropped by the one-league refactor, still read by scripts
  id         serial PRIMARY KEY,
  series_id  integer NOT NULL CONSTRAINT series_leagues_series_id_fkey REFERENCES series(id),
  league_id  integer NOT NULL CONSTRAINT series_leagues_league_id_fkey REFERENCES leagues(id),
  created_at timestamptz DEFAULT now(),
  CONSTRAINT unique_series_league UNIQUE (series_id, league_id)
);

CREATE TABLE teams (
  id               serial PRIMARY KEY,
  club_id          integer NOT NULL CONSTRAINT teams_club_id_fkey   REFERENCES clubs(id),
  series_id        integer NOT NULL CONSTRAINT teams_series_id_fkey REFERENCES series(id),
  league_id        integer NOT NULL CONSTRAINT teams_league_id_fkey REFERENCES leagues(id),
  team_name        varchar(255) NOT NULL,
  display_name     varchar(255) NOT NULL,
  team_alias       varchar(255),
  external_team_id varchar(255),
  is_active        boolean DEFAULT true,
  created_at       timestamptz DEFAULT now(),
  updated_at       timestamptz DEFAULT now(),
  CONSTRAINT unique_team_name_per_league UNIQUE (team_name, league_id)
  -- some databases have instead: CONSTRAINT unique_team_club_series_league UNIQUE (club_id, series_id, league_id)
);

CREATE TABLE players (
  id                    serial CONSTRAINT users_pkey PRIMARY KEY,
  tenniscores_player_id varchar(255) NOT NULL,
  first_name            varchar(255) NOT NULL,
  last_name             varchar(255) NOT NULL,
  email                 varchar(255),
  league_id             integer NOT NULL CONSTRAINT players_league_id_fkey REFERENCES leagues(id),
  club_id               integer NOT NULL CONSTRAINT users_club_id_fkey     REFERENCES clubs(id),
  series_id             integer NOT NULL CONSTRAINT users_series_id_fkey   REFERENCES series(id),
  team_id               integer          CONSTRAINT players_team_id_fkey   REFERENCES teams(id),
  pti                   numeric(10,2),
  starting_pti          numeric(5,2),
  wins                  integer DEFAULT 0,
  losses                integer DEFAULT 0,
  win_percentage        numeric(5,2) DEFAULT 0.00,
  captain_status        varchar(50),
  career_wins           integer DEFAULT 0,
  career_losses         integer DEFAULT 0,
  career_matches        integer DEFAULT 0,
  career_win_percentage numeric(5,2) DEFAULT 0.00,
  is_active             boolean DEFAULT true,
  created_at            timestamptz DEFAULT now(),
  updated_at            timestamptz DEFAULT now(),
  -- team_id is part of the key: one person plays in "... I 11" and "... II 11" of one club and series. Without it
  -- such memberships fall into one row (40 of 6,796 on 2025-10-03).
  CONSTRAINT unique_player_in_league_club_series UNIQUE (tenniscores_player_id, league_id, club_id, series_id, team_id)
);
CREATE INDEX idx_players_starting_pti ON players (starting_pti);

CREATE TABLE player_history (
  id         serial PRIMARY KEY,
  player_id  integer CONSTRAINT fk_player_history_player_id REFERENCES players(id),
  league_id  integer CONSTRAINT fk_player_history_league_id REFERENCES leagues(id),
  series     varchar(255),
  date       date,
  end_pti    numeric(10,2),
  created_at timestamptz DEFAULT now()
);

CREATE TABLE match_scores (
  id                   serial PRIMARY KEY,
  league_id            integer CONSTRAINT fk_match_scores_league_id    REFERENCES leagues(id),
  match_date           date,
  home_team            text,
  away_team            text,
  home_team_id         integer CONSTRAINT fk_match_scores_home_team_id REFERENCES teams(id),
  away_team_id         integer CONSTRAINT fk_match_scores_away_team_id REFERENCES teams(id),
  home_player_1_id     text,   -- [soft] players.tenniscores_player_id, here and in the next three
  home_player_2_id     text,
  away_player_1_id     text,
  away_player_2_id     text,
  scores               text,
  winner               text,
  tenniscores_match_id text,
  match_id             varchar(255),   -- [late] added beside tenniscores_match_id, never written by the importers
  created_at           timestamptz DEFAULT now(),
  CONSTRAINT match_scores_winner_check CHECK (winner IN ('home', 'away'))
);
-- a plain unique index, not a partial one: ON CONFLICT (tenniscores_match_id) cannot infer a partial index
CREATE UNIQUE INDEX unique_match_scores_tenniscores_match_id ON match_scores (tenniscores_match_id);
CREATE INDEX idx_match_scores_match_id ON match_scores (match_id);

CREATE TABLE match_scores_previous_seasons (
  id                   serial PRIMARY KEY,
  league_id            integer REFERENCES leagues(id),
  match_date           date,
  home_team            text,
  away_team            text,
  home_team_id         integer REFERENCES teams(id),
  away_team_id         integer REFERENCES teams(id),
  home_player_1_id     text,
  home_player_2_id     text,
  away_player_1_id     text,
  away_player_2_id     text,
  scores               text,
  winner               text CHECK (winner IN ('home', 'away', 'tie')),
  tenniscores_match_id text,
  season               varchar(20),
  created_at           timestamptz DEFAULT now()
);
CREATE INDEX idx_match_scores_prev_season ON match_scores_previous_seasons (season);

CREATE TABLE series_stats (
  id           serial PRIMARY KEY,
  league_id    integer CONSTRAINT fk_series_stats_league_id REFERENCES leagues(id),
  series       varchar(255),
  team         varchar(255),
  series_id    integer CONSTRAINT fk_series_stats_series_id REFERENCES series(id),
  team_id      integer CONSTRAINT fk_series_stats_team_id   REFERENCES teams(id),
  points       integer,
  matches_won  integer, matches_lost integer, matches_tied integer,
  lines_won    integer, lines_lost   integer, lines_for    integer, lines_ret integer,
  sets_won     integer, sets_lost    integer,
  games_won    integer, games_lost   integer,
  created_at   timestamptz DEFAULT now(),
  updated_at   timestamptz DEFAULT now(),   -- [late] read and written by code, absent from model and dumps
  CONSTRAINT unique_series_stats_league_series_team UNIQUE (league_id, series, team)
);
CREATE INDEX idx_series_stats_series_id ON series_stats (series_id);

CREATE TABLE schedule (                      -- league matches and users' practice rows share this table
  id           serial PRIMARY KEY,
  league_id    integer CONSTRAINT fk_schedule_league_id    REFERENCES leagues(id),
  match_date   date,
  match_time   time,
  home_team    text,
  away_team    text,
  home_team_id integer CONSTRAINT fk_schedule_home_team_id REFERENCES teams(id),
  away_team_id integer CONSTRAINT fk_schedule_away_team_id REFERENCES teams(id),
  location     text,
  created_at   timestamptz DEFAULT now(),
  CONSTRAINT unique_schedule_match UNIQUE (match_date, home_team, away_team, league_id)
);

-- ---------------------------------------------------------------- user-owned
CREATE TABLE users (
  id                        serial CONSTRAINT users_pkey1 PRIMARY KEY,
  email                     varchar(255) NOT NULL CONSTRAINT users_email_key1 UNIQUE,
  password_hash             varchar(255) NOT NULL,
  first_name                varchar(255),
  last_name                 varchar(255),
  phone_number              varchar(20),
  club_automation_password  varchar(255),
  is_admin                  boolean NOT NULL DEFAULT false,
  ad_deuce_preference       varchar(50),
  dominant_hand             varchar(20),
  league_context            integer CONSTRAINT users_league_context_fkey REFERENCES leagues(id),
  team_id                   integer CONSTRAINT users_team_id_fkey REFERENCES teams(id),          -- [late]
  notifications_hidden      boolean DEFAULT false,                                               -- [late]
  notification_prefs        jsonb,
  has_temporary_password    boolean DEFAULT false,
  temporary_password_set_at timestamptz,
  created_at                timestamptz DEFAULT now(),
  last_login                timestamptz
);

CREATE TABLE user_player_associations (
  user_id               integer NOT NULL CONSTRAINT fk_upa_user_id REFERENCES users(id),
  tenniscores_player_id varchar(255) NOT NULL,   -- [soft] players.tenniscores_player_id
  is_primary            boolean DEFAULT false,   -- [late] gone from the model, read by one query
  created_at            timestamptz DEFAULT now(),
  PRIMARY KEY (user_id, tenniscores_player_id),
  CONSTRAINT unique_tenniscores_player_id UNIQUE (tenniscores_player_id)
);

CREATE TABLE user_contexts (
  user_id      integer CONSTRAINT user_contexts_pkey PRIMARY KEY,
  league_id    integer,
  team_id      integer,
  series_id    integer,
  last_updated timestamptz DEFAULT now(),
  CONSTRAINT fk_user_contexts_user        FOREIGN KEY (user_id)   REFERENCES users(id)   ON DELETE CASCADE,
  CONSTRAINT fk_user_contexts_league      FOREIGN KEY (league_id) REFERENCES leagues(id) ON DELETE SET NULL,
  CONSTRAINT fk_user_contexts_team        FOREIGN KEY (team_id)   REFERENCES teams(id)   ON DELETE SET NULL,
  CONSTRAINT user_contexts_series_id_fkey FOREIGN KEY (series_id) REFERENCES series(id)  ON DELETE SET NULL
);

CREATE TABLE player_availability (
  id                  serial PRIMARY KEY,
  player_name         varchar(255) NOT NULL,
  match_date          timestamptz NOT NULL,
  availability_status integer NOT NULL DEFAULT 3,
  series_id           integer NOT NULL,          -- [soft] no FK in the dumps, FK only in the model
  player_id           integer,                   -- [soft] no FK in the dumps, FK only in the model
  user_id             integer CONSTRAINT player_availability_user_id_fkey REFERENCES users(id),
  notes               text,
  updated_at          timestamptz DEFAULT now(),
  CONSTRAINT valid_availability_status CHECK (availability_status IN (1, 2, 3)),
  CONSTRAINT match_date_must_be_midnight_utc CHECK (
    date_part('hour',   match_date AT TIME ZONE 'UTC') = 0 AND
    date_part('minute', match_date AT TIME ZONE 'UTC') = 0 AND
    date_part('second', match_date AT TIME ZONE 'UTC') = 0)
);
CREATE UNIQUE INDEX idx_unique_user_date_availability ON player_availability (user_id, match_date) WHERE user_id IS NOT NULL;

CREATE TABLE player_season_tracking (
  id            serial PRIMARY KEY,
  player_id     varchar(255) NOT NULL,           -- [soft] players.tenniscores_player_id
  team_id       integer NOT NULL CONSTRAINT player_season_tracking_team_id_fkey REFERENCES teams(id),
  league_id     integer,                         -- [soft]
  season_year   integer,
  forced_byes   integer DEFAULT 0,
  not_available integer DEFAULT 0,
  injury        integer DEFAULT 0,
  created_at    timestamptz DEFAULT now(),
  updated_at    timestamptz DEFAULT now(),
  CONSTRAINT unique_player_season_tracking UNIQUE (player_id, team_id, league_id)
);

CREATE TABLE polls (
  id         serial PRIMARY KEY,
  team_id    integer CONSTRAINT fk_polls_team_id REFERENCES teams(id),    -- [late] July 2025; soft before
  created_by integer CONSTRAINT polls_created_by_fkey REFERENCES users(id),
  question   text NOT NULL,
  created_at timestamptz DEFAULT now()
);
CREATE TABLE poll_choices (
  id          serial PRIMARY KEY,
  poll_id     integer CONSTRAINT poll_choices_poll_id_fkey REFERENCES polls(id) ON DELETE CASCADE,
  choice_text text NOT NULL
);
CREATE TABLE poll_responses (
  id           serial PRIMARY KEY,
  poll_id      integer CONSTRAINT poll_responses_poll_id_fkey   REFERENCES polls(id) ON DELETE CASCADE,
  choice_id    integer CONSTRAINT poll_responses_choice_id_fkey REFERENCES poll_choices(id),
  player_id    integer,                          -- [soft] players.id; FK only in the model and one migration
  responded_at timestamptz DEFAULT now(),
  CONSTRAINT unique_poll_player_response UNIQUE (poll_id, player_id)
);

CREATE TABLE captain_messages (
  id              serial PRIMARY KEY,
  team_id         integer NOT NULL REFERENCES teams(id),
  captain_user_id integer NOT NULL REFERENCES users(id),
  message         text NOT NULL,
  created_at      timestamptz DEFAULT now()
);
CREATE INDEX idx_captain_messages_team_id ON captain_messages (team_id);

CREATE TABLE lineup_escrow (
  id                     serial PRIMARY KEY,
  escrow_token           varchar(255) NOT NULL UNIQUE,
  initiator_user_id      integer NOT NULL REFERENCES users(id),
  recipient_name         varchar(255) NOT NULL,
  recipient_contact      varchar(255) NOT NULL,
  contact_type           varchar(20) NOT NULL,
  initiator_team_id      integer REFERENCES teams(id),
  recipient_team_id      integer REFERENCES teams(id),
  initiator_lineup       text NOT NULL,
  recipient_lineup       text,
  status                 varchar(50) NOT NULL DEFAULT 'pending',
  initiator_submitted_at timestamptz DEFAULT now(),
  recipient_submitted_at timestamptz,
  expires_at             timestamptz,
  subject                varchar(255),
  message_body           text NOT NULL,
  initiator_notified     boolean DEFAULT false,
  recipient_notified     boolean DEFAULT false,
  created_at             timestamptz DEFAULT now(),
  updated_at             timestamptz DEFAULT now()
);
CREATE TABLE lineup_escrow_views (
  id             serial PRIMARY KEY,
  escrow_id      integer NOT NULL REFERENCES lineup_escrow(id),
  viewer_user_id integer REFERENCES users(id),
  viewer_contact varchar(255) NOT NULL,
  viewed_at      timestamptz DEFAULT now(),
  ip_address     varchar(45)
);
CREATE TABLE saved_lineups (
  id          serial PRIMARY KEY,
  user_id     integer NOT NULL REFERENCES users(id),
  team_id     integer NOT NULL REFERENCES teams(id),
  lineup_name varchar(255) NOT NULL,
  lineup_data text NOT NULL,
  is_active   boolean DEFAULT true,
  created_at  timestamptz DEFAULT now(),
  updated_at  timestamptz DEFAULT now(),
  CONSTRAINT unique_user_team_lineup_name UNIQUE (user_id, team_id, lineup_name)
);
CREATE TABLE pairing_preferences (
  id              serial PRIMARY KEY,
  team_id         integer NOT NULL REFERENCES teams(id),
  player1_user_id integer NOT NULL REFERENCES users(id),
  player2_user_id integer NOT NULL REFERENCES users(id),
  is_allowed      boolean NOT NULL DEFAULT false,
  created_at      timestamptz DEFAULT now(),
  updated_at      timestamptz DEFAULT now(),
  CONSTRAINT uc_team_player_pair UNIQUE (team_id, player1_user_id, player2_user_id)
);
CREATE TABLE videos (
  id         serial PRIMARY KEY,
  name       varchar(255) NOT NULL,
  url        text NOT NULL,
  players    text,
  date       date,
  team_id    integer NOT NULL REFERENCES teams(id) ON DELETE CASCADE,
  created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now()
);
CREATE TABLE player_notes (
  id         serial PRIMARY KEY,
  player_id  varchar(255) NOT NULL,              -- [soft] players.tenniscores_player_id
  creator_id integer NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  club_id    integer NOT NULL REFERENCES clubs(id) ON DELETE CASCADE,
  note       text NOT NULL,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE user_instructions (
  id          serial PRIMARY KEY,
  user_email  varchar(255) NOT NULL,             -- [soft] users.email
  instruction text NOT NULL,
  series_id   integer CONSTRAINT user_instructions_series_id_fkey REFERENCES series(id),
  team_id     integer CONSTRAINT fk_user_instructions_team_id     REFERENCES teams(id),
  created_at  timestamptz DEFAULT now(),
  is_active   boolean DEFAULT true
);
CREATE TABLE groups (
  id              serial PRIMARY KEY,
  name            varchar(255) NOT NULL,
  description     text,
  creator_user_id integer NOT NULL CONSTRAINT fk_groups_creator_user_id REFERENCES users(id) ON DELETE CASCADE,
  created_at      timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at      timestamp DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE group_members (
  id               serial PRIMARY KEY,
  group_id         integer NOT NULL CONSTRAINT fk_group_members_group_id         REFERENCES groups(id) ON DELETE CASCADE,
  user_id          integer NOT NULL CONSTRAINT fk_group_members_user_id          REFERENCES users(id)  ON DELETE CASCADE,
  added_by_user_id integer NOT NULL CONSTRAINT fk_group_members_added_by_user_id REFERENCES users(id)  ON DELETE CASCADE,
  added_at         timestamp DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT uc_unique_group_member UNIQUE (group_id, user_id)
);
CREATE TABLE pickup_games (
  id                serial PRIMARY KEY,
  description       text NOT NULL,
  game_date         date NOT NULL,
  game_time         time NOT NULL,
  players_requested integer NOT NULL CONSTRAINT ck_players_requested_positive CHECK (players_requested > 0),
  players_committed integer NOT NULL DEFAULT 0 CONSTRAINT ck_players_committed_non_negative CHECK (players_committed >= 0),
  pti_low           integer NOT NULL DEFAULT -30,
  pti_high          integer NOT NULL DEFAULT 100,
  series_low        integer,
  series_high       integer,
  club_only         boolean NOT NULL DEFAULT false,
  is_private        boolean NOT NULL DEFAULT false,
  club_id           integer REFERENCES clubs(id) ON DELETE SET NULL,
  league_id         integer REFERENCES leagues(id),
  creator_user_id   integer REFERENCES users(id) ON DELETE SET NULL,
  created_at        timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at        timestamp DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT ck_valid_player_counts CHECK (players_committed <= players_requested),
  CONSTRAINT ck_valid_pti_range     CHECK (pti_low <= pti_high),
  CONSTRAINT ck_valid_series_range  CHECK (series_low IS NULL OR series_high IS NULL OR series_low <= series_high)
);
CREATE TABLE pickup_game_participants (
  id             serial PRIMARY KEY,
  pickup_game_id integer NOT NULL REFERENCES pickup_games(id) ON DELETE CASCADE,
  user_id        integer NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  joined_at      timestamp DEFAULT CURRENT_TIMESTAMP,
  CONSTRAINT uc_unique_game_participant UNIQUE (pickup_game_id, user_id)
);
CREATE TABLE rally_sub_finder (                  -- made by the application, no migration of it is known
  id                 serial PRIMARY KEY,
  created_by         integer NOT NULL REFERENCES users(id),
  pti_min            numeric(10,2),
  pti_max            numeric(10,2),
  series_min         integer,
  series_max         integer,
  slots_total        integer NOT NULL,
  slots_filled       integer NOT NULL DEFAULT 0,
  notes              text,
  match_date         date,
  match_time         time,
  type               varchar(50),
  broadcast_via_text boolean DEFAULT true,
  is_active          boolean DEFAULT true,
  created_at         timestamptz DEFAULT now(),
  updated_at         timestamptz DEFAULT now()
);
CREATE TABLE rally_sub_finder_participants (
  id                  serial PRIMARY KEY,
  rally_sub_finder_id integer NOT NULL REFERENCES rally_sub_finder(id) ON DELETE CASCADE,
  user_id             integer NOT NULL REFERENCES users(id),
  joined_at           timestamptz DEFAULT now()
);
CREATE TABLE user_session_refresh_signals (
  user_id        integer PRIMARY KEY REFERENCES users(id),
  email          varchar(255) NOT NULL,
  old_league_id  integer,                        -- [soft]
  new_league_id  integer,                        -- [soft]
  league_name    varchar(255),
  refresh_reason varchar(255) DEFAULT 'etl_league_id_change',
  created_at     timestamptz DEFAULT now(),
  refreshed_at   timestamptz,
  is_refreshed   boolean DEFAULT false
);
CREATE TABLE user_activity_logs (
  id            serial PRIMARY KEY,
  user_email    varchar(255) NOT NULL,           -- [soft]
  activity_type varchar(255) NOT NULL,
  page          varchar(255),
  action        text,
  details       text,
  ip_address    varchar(45),
  "timestamp"   timestamptz DEFAULT now()
);
CREATE TABLE activity_log (
  id                 uuid PRIMARY KEY,
  player_id          integer,                    -- [soft] players.id in the dumps
  team_id            integer,                    -- [soft] teams.id in the dumps
  user_id            integer CONSTRAINT activity_log_user_id_fkey REFERENCES users(id),
  action_type        varchar(255) NOT NULL,
  action_description text NOT NULL,
  related_id         varchar(255),
  related_type       varchar(100),
  ip_address         varchar(45),
  user_agent         text,
  extra_data         text,
  "timestamp"        timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE system_settings (
  id          serial PRIMARY KEY,
  key         varchar(100) NOT NULL CONSTRAINT system_settings_key_key UNIQUE,
  value       text NOT NULL,
  description text,
  created_at  timestamp DEFAULT CURRENT_TIMESTAMP,
  updated_at  timestamp DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE food (
  id serial PRIMARY KEY, food_text text, mens_food text, womens_food text, date date NOT NULL,
  club_id integer NOT NULL REFERENCES clubs(id), is_current_menu boolean NOT NULL DEFAULT false,
  created_at timestamptz DEFAULT now()
);
CREATE TABLE beer (
  id serial PRIMARY KEY, beer_text text NOT NULL, date date NOT NULL,
  club_id integer NOT NULL REFERENCES clubs(id), is_current_beer boolean NOT NULL DEFAULT false,
  created_at timestamptz DEFAULT now()
);

-- Every check and every plan asks for the rows of one league; with hundreds of leagues that must not be a scan of all.
CREATE INDEX idx_teams_league_id ON teams (league_id);
CREATE INDEX idx_players_league_id ON players (league_id);
CREATE INDEX idx_match_scores_league_id ON match_scores (league_id);
CREATE INDEX idx_schedule_league_id ON schedule (league_id);
