-- Why it is not tried again, as when the mail server refused it for good: no start tries it either.
ALTER TABLE mails ADD COLUMN refusal TEXT;
