"""Who learns: update rules, their networks, the width of their actions."""
