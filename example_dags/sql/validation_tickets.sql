-- The others: what the model is judged by.
SELECT prompt, completion
FROM support_tickets
WHERE id % 10 = 0;
