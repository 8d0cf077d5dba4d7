-- A log from before there were conversations: `chat_id` is the id of a chat's first row.
CREATE TABLE "logs" (
  "id" INTEGER PRIMARY KEY, "model" TEXT, "prompt" TEXT, "system" TEXT, "prompt_json" TEXT,
  "options_json" TEXT, "response" TEXT, "response_json" TEXT, "reply_to_id" INTEGER,
  "chat_id" INTEGER, "duration_ms" INTEGER, "datetime_utc" TEXT
);
INSERT INTO "logs" VALUES
  (1, 'gpt-3.5-turbo', 'First', NULL, NULL, NULL, 'One', NULL, NULL, NULL, 100, '2023-07-01 10:00:00.500000'),
  (2, 'gpt-3.5-turbo', 'Other', NULL, NULL, NULL, 'Two', NULL, NULL, NULL, 100, '2023-07-01 11:00:00'),
  (3, 'gpt-3.5-turbo', 'More', 'Be brief.', NULL, NULL, 'Three', NULL, 1, 1, 100, '2023-07-01 12:00:00');
