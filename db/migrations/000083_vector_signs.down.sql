SELECT app.close_to_limited_keys('vectors');
ALTER TABLE vectors RESET (toast_tuple_target);
ALTER TABLE vectors ALTER embedding SET STORAGE EXTENDED;
ALTER TABLE vectors DROP COLUMN signs;
