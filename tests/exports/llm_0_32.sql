-- A log of llm 0.32, with the tables and columns of its documentation, as far as they are read.
-- The conversation `both` was begun with 0.31 and went on; `fork` branches off `new`.
CREATE TABLE "conversations" ("id" TEXT PRIMARY KEY, "name" TEXT, "model" TEXT);
CREATE TABLE "responses" (
  "id" TEXT PRIMARY KEY, "model" TEXT, "prompt" TEXT, "system" TEXT, "options_json" TEXT,
  "response" TEXT, "response_json" TEXT, "conversation_id" TEXT, "duration_ms" INTEGER,
  "datetime_utc" TEXT, "input_tokens" INTEGER, "output_tokens" INTEGER, "reasoning" TEXT
);
CREATE TABLE "messages" (
  "hash" TEXT PRIMARY KEY, "parent_hash" TEXT, "role" TEXT, "provider_metadata" TEXT
);
CREATE TABLE "parts" (
  "id" INTEGER PRIMARY KEY, "message_hash" TEXT, "position" INTEGER, "type" TEXT,
  "tool_name" TEXT, "text" TEXT, "payload" TEXT
);
CREATE TABLE "fragments" ("id" INTEGER PRIMARY KEY, "hash" TEXT, "content" TEXT);
CREATE TABLE "threads" (
  "id" TEXT PRIMARY KEY, "name" TEXT, "tip_message_hash" TEXT, "forked_from" TEXT,
  "datetime_utc" TEXT
);
CREATE TABLE "turns" (
  "id" TEXT PRIMARY KEY, "thread_id" TEXT, "parent_message_hash" TEXT, "tip_message_hash" TEXT,
  "model" TEXT, "resolved_model" TEXT, "options_json" TEXT, "schema_id" TEXT,
  "input_tokens" INTEGER, "output_tokens" INTEGER, "token_details" TEXT, "duration_ms" INTEGER,
  "datetime_utc" TEXT, "response_json" TEXT
);

INSERT INTO "fragments" VALUES (1, 'h', 'A long novel.');
INSERT INTO "messages" VALUES
  ('s', NULL, 'system', NULL), ('u1', 's', 'user', NULL), ('a1', 'u1', 'assistant', NULL),
  ('t1', 'a1', 'tool', NULL), ('a1b', 't1', 'assistant', NULL),
  ('u2', 'a1b', 'user', NULL), ('a2', 'u2', 'assistant', NULL),
  ('u3', 'a1b', 'user', NULL), ('a3', 'u3', 'assistant', NULL),
  ('b1', NULL, 'user', NULL), ('b2', 'b1', 'assistant', NULL),
  ('b3', 'b2', 'user', NULL), ('b4', 'b3', 'assistant', NULL);
INSERT INTO "parts" ("message_hash", "position", "type", "tool_name", "text", "payload") VALUES
  ('s', 0, 'text', NULL, 'Be brief.', NULL),
  ('u1', 0, 'text', NULL, NULL, '{"text_ref": [{"fragment": 1}, {"literal": "\nWho wrote it?"}]}'),
  ('u1', 1, 'attachment', NULL, NULL, '{"attachment": {"id": "image"}}'),
  ('a1', 0, 'reasoning', NULL, 'I look it up.', NULL),
  ('a1', 1, 'tool_call', 'look_up', NULL, '{"name": "look_up", "arguments": {}}'),
  ('t1', 0, 'tool_result', 'look_up', NULL, '{"name": "look_up", "output": "Ada"}'),
  ('a1b', 0, 'text', NULL, 'Ada.', NULL),
  ('u2', 0, 'text', NULL, 'Thanks', NULL), ('a2', 0, 'text', NULL, 'Welcome', NULL),
  ('u3', 0, 'text', NULL, 'When?', NULL), ('a3', 0, 'text', NULL, '1843', NULL),
  ('b1', 0, 'text', NULL, 'One', NULL), ('b2', 0, 'text', NULL, 'Uno', NULL),
  ('b3', 0, 'text', NULL, 'Two', NULL), ('b4', 0, 'text', NULL, 'Due', NULL);
INSERT INTO "threads" VALUES
  ('new', 'Who wrote it?', 'a2', NULL, '2026-08-10T10:00:00+00:00'),
  ('fork', NULL, 'a3', 'new', '2026-08-11T10:00:00+00:00'),
  ('both', 'One', 'b4', NULL, '2026-08-12T10:00:00+00:00');
INSERT INTO "turns" VALUES
  ('t-1', 'new', 'u1', 'a1', 'mini', NULL, NULL, NULL, 10, 1, NULL, 1000,
   '2026-08-10T10:00:00+00:00', NULL),
  ('t-2', 'new', 't1', 'a1b', 'mini', 'mini-2026', '{"seed": 1}', NULL, 20, 2,
   '{"input_tokens_details": {"cached_tokens": 4}}', 500, '2026-08-10T10:00:02+00:00',
   '{"status": "completed"}'),
  ('t-3', 'new', 'u2', 'a2', 'mini', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   '2026-08-10T10:05:00+00:00', NULL),
  ('t-4', 'fork', 'u3', 'a3', 'mini', NULL, NULL, NULL, 5, 5, NULL, 100,
   '2026-08-11T10:00:00+00:00', NULL),
  ('t-5', 'both', 'b3', 'b4', 'mini', NULL, NULL, NULL, 6, 6, NULL, 100,
   '2026-08-12T10:00:00+00:00', NULL);
INSERT INTO "conversations" VALUES ('both', 'One', 'mini');
INSERT INTO "responses" VALUES
  ('r-0', 'mini', 'Zero', NULL, NULL, 'Nought', NULL, 'both', 10, '2026-07-01T10:00:00+00:00', 1, 1, NULL),
  ('r-1', 'mini', 'One', NULL, NULL, 'Uno', NULL, 'both', 100, '2026-07-01T10:01:00+00:00', 2, 2, NULL),
  ('t-5', 'mini', 'Two', NULL, NULL, 'Due', NULL, 'both', 100, '2026-08-12T10:00:00+00:00', 6, 6, NULL);
