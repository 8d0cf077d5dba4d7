-- A log of llm 0.31, with the tables and columns of its documentation, as far as they are read.
CREATE TABLE "_llm_migrations" ("name" TEXT PRIMARY KEY, "applied_at" TEXT);
CREATE TABLE "conversations" ("id" TEXT PRIMARY KEY, "name" TEXT, "model" TEXT);
CREATE TABLE "responses" (
  "id" TEXT PRIMARY KEY, "model" TEXT, "prompt" TEXT, "system" TEXT, "prompt_json" TEXT,
  "options_json" TEXT, "response" TEXT, "response_json" TEXT, "conversation_id" TEXT,
  "duration_ms" INTEGER, "datetime_utc" TEXT, "input_tokens" INTEGER, "output_tokens" INTEGER,
  "token_details" TEXT, "schema_id" TEXT, "resolved_model" TEXT
);
CREATE TABLE "prompt_attachments" (
  "response_id" TEXT, "attachment_id" TEXT, "order" INTEGER,
  PRIMARY KEY ("response_id", "attachment_id")
);
CREATE TABLE "fragments" ("id" INTEGER PRIMARY KEY, "hash" TEXT, "content" TEXT, "source" TEXT);
CREATE TABLE "prompt_fragments" (
  "response_id" TEXT, "fragment_id" INTEGER, "order" INTEGER,
  PRIMARY KEY ("response_id", "fragment_id", "order")
);
CREATE TABLE "system_fragments" (
  "response_id" TEXT, "fragment_id" INTEGER, "order" INTEGER,
  PRIMARY KEY ("response_id", "fragment_id", "order")
);
CREATE TABLE "tool_calls" (
  "id" INTEGER PRIMARY KEY, "response_id" TEXT, "tool_id" INTEGER, "name" TEXT, "arguments" TEXT
);
CREATE TABLE "tool_results" (
  "id" INTEGER PRIMARY KEY, "response_id" TEXT, "tool_id" INTEGER, "name" TEXT, "output" TEXT
);

INSERT INTO "conversations" VALUES ('01conv', 'What is this?', 'gpt-5-mini');
INSERT INTO "responses" VALUES
  ('01a', 'mini', 'What is this?', 'Be brief.', NULL, '{"temperature": 0.5}', 'A poem.',
   '{"finish_reason": "stop"}', '01conv', 1500, '2025-03-01T10:00:00.250000+00:00', 20, 5,
   '{"prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 2}}',
   NULL, 'gpt-5-mini-2025'),
  ('01b', 'mini', 'What time is it?', 'Be brief.', NULL, '{}', '', NULL, '01conv', 500,
   '2025-03-01T10:01:00+00:00', 30, 10, NULL, NULL, NULL),
  ('01c', 'mini', '', 'Be brief.', NULL, '{}', 'Ten.', NULL, '01conv', 250,
   '2025-03-01T10:01:01+00:00', 40, 2, NULL, 'a schema', NULL),
  ('01d', 'old', 'Alone', NULL, NULL, NULL, 'Yes', '{"usage": {"prompt_tokens": 3, "completion_tokens": 1}}',
   NULL, NULL, '2024-01-01 09:00:00', NULL, NULL, NULL, NULL, NULL);
INSERT INTO "fragments" VALUES (1, 'h1', 'Roses are red', 'poem.txt'), (2, 'h2', 'You like poems.', NULL);
INSERT INTO "prompt_fragments" VALUES ('01a', 1, 0);
INSERT INTO "system_fragments" VALUES ('01a', 2, 0);
INSERT INTO "prompt_attachments" VALUES ('01a', 'image', 0);
INSERT INTO "tool_calls" VALUES (1, '01b', 1, 'clock', '{}');
INSERT INTO "tool_results" VALUES (1, '01c', 1, 'clock', '10:01');
