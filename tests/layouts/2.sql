-- A history of chat_magics 0.2.0: layout 2, as that release made it, with a conversation of two
-- exchanges, the second of which was cut off; the words of the first wait to be indexed.
CREATE TABLE conversations (
    id VARCHAR(32) NOT NULL,
    owner TEXT NOT NULL,
    name TEXT,
    title TEXT NOT NULL,
    created DATETIME NOT NULL,
    used DATETIME NOT NULL,
    path TEXT NOT NULL,
    origin TEXT NOT NULL,
    tags TEXT DEFAULT '[]' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (owner, name)
);
CREATE INDEX conversations_used ON conversations (owner, used);
CREATE INDEX conversations_origin ON conversations (owner, origin, used);
CREATE TABLE exchanges (
    id VARCHAR(32) NOT NULL,
    conversation VARCHAR(32) NOT NULL,
    owner TEXT NOT NULL,
    prompt TEXT NOT NULL,
    sent TEXT NOT NULL,
    system TEXT,
    context TEXT NOT NULL,
    status VARCHAR(16) NOT NULL,
    created DATETIME NOT NULL,
    ended DATETIME,
    base_url TEXT NOT NULL,
    api VARCHAR(16) NOT NULL,
    model_asked TEXT NOT NULL,
    model TEXT,
    options TEXT NOT NULL,
    text TEXT NOT NULL,
    reasoning TEXT NOT NULL,
    finish_reason TEXT,
    usage_prompt_tokens BIGINT,
    usage_completion_tokens BIGINT,
    usage_cached_tokens BIGINT,
    usage_reasoning_tokens BIGINT,
    usage_estimated BOOLEAN,
    wasted_prompt_tokens BIGINT,
    wasted_completion_tokens BIGINT,
    wasted_cached_tokens BIGINT,
    wasted_reasoning_tokens BIGINT,
    wasted_estimated BOOLEAN,
    cost DOUBLE,
    saved DOUBLE,
    latency DOUBLE,
    time_to_first_token DOUBLE,
    attempts INTEGER NOT NULL,
    cached BOOLEAN NOT NULL,
    stored_at DATETIME,
    request_id TEXT,
    error_type TEXT,
    error TEXT,
    notes TEXT NOT NULL,
    surface VARCHAR(16) NOT NULL,
    cell TEXT,
    execution TEXT,
    supersedes VARCHAR(32),
    attachments TEXT DEFAULT '[]' NOT NULL,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    process_started DOUBLE,
    touched DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX exchanges_created ON exchanges (owner, created);
CREATE INDEX exchanges_status ON exchanges (status);
CREATE INDEX exchanges_conversation ON exchanges (conversation, owner, created);
CREATE INDEX exchanges_supersedes ON exchanges (supersedes);
CREATE TABLE attachments (
    exchange VARCHAR(32) NOT NULL,
    number INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (exchange, number)
);
CREATE TABLE removed (
    exchange VARCHAR(32) NOT NULL,
    conversation VARCHAR(32) NOT NULL,
    owner TEXT NOT NULL,
    created DATETIME NOT NULL,
    tokens BIGINT NOT NULL,
    cost DOUBLE NOT NULL,
    priceless BOOLEAN NOT NULL,
    PRIMARY KEY (exchange)
);
CREATE INDEX removed_conversation ON removed (conversation);
CREATE INDEX removed_created ON removed (owner, created);
CREATE TABLE "indexed" (
    number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    exchange VARCHAR(32) NOT NULL,
    UNIQUE (exchange)
);
CREATE TABLE unindexed (
    exchange VARCHAR(32) NOT NULL,
    PRIMARY KEY (exchange)
);
CREATE TABLE chat_magics_layout (
    version INTEGER NOT NULL,
    needs TEXT NOT NULL
);
CREATE VIRTUAL TABLE word_index USING fts5(prompt, reply, content='', columnsize=0, tokenize='ascii');
INSERT INTO chat_magics_layout VALUES (2, '0.2.0');
INSERT INTO conversations (id, owner, name, title, created, used, path, origin) VALUES (
    'cccccccccccccccccccccccccccccccc', '', 'old', 'Where do zebras live?',
    '2026-11-22 10:00:00.000001', '2026-11-22 10:05:00.000000',
    '["0199000000007000800000000000000a", "0199000000007000800000000000000b"]', ''
);
INSERT INTO exchanges (
    id, conversation, owner, prompt, sent, context, status, created, ended, base_url, api,
    model_asked, model, options, text, reasoning, usage_prompt_tokens, usage_completion_tokens,
    usage_cached_tokens, usage_reasoning_tokens, usage_estimated, cost, attempts, cached, notes,
    surface, host, pid, touched
) VALUES (
    '0199000000007000800000000000000a', 'cccccccccccccccccccccccccccccccc', '',
    'Where do zebras live?', 'Where do zebras live?', '[]', 'complete',
    '2026-11-22 10:00:00.000001', '2026-11-22 10:00:02.000000', 'demo', 'chat', 'demo', 'demo',
    '{}', 'On the savanna.', '', 5, 4, 0, 0, FALSE, 0.25, 1, FALSE, '[]', 'cell', 'gone', 1,
    '2026-11-22 10:00:02.000000'
), (
    '0199000000007000800000000000000b', 'cccccccccccccccccccccccccccccccc', '',
    'And lions?', 'And lions?', '["0199000000007000800000000000000a"]', 'streaming',
    '2025-11-22 10:05:00.000000', NULL, 'demo', 'chat', 'demo', NULL,
    '{}', 'Also on the', '', NULL, NULL, NULL, NULL, NULL, NULL, 0, FALSE, '[]', 'cell', 'gone', 1,
    '2025-11-22 10:05:00.000000'
);
INSERT INTO unindexed VALUES ('0199000000007000800000000000000a');
