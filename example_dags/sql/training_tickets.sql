-- Nine of ten labelled tickets. Cortex reads the columns PROMPT and COMPLETION.
SELECT prompt, completion
FROM support_tickets
WHERE id % 10 <> 0;
