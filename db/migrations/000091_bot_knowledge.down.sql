DROP VIEW app.bot_knowledge;
