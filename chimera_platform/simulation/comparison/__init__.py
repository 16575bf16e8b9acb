"""V1 against V2: what each upgrade adds or costs, on the same days."""
