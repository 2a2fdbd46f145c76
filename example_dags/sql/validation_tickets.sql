-- The other tickets: they measure how good the model is.
SELECT prompt, completion
FROM support_tickets
WHERE id % 10 = 0;
