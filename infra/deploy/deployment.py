"""What a translated template makes of parameters: its conditions, choices and rules, as CloudFormation reads them."""

NOTHING = {"Ref": "AWS::NoValue"}


class Deployment:
    """A template with values for its parameters."""

    def __init__(self, template, parameters):
        self.template = template
        self.values = {name: parameter["Default"] for name, parameter in template["Parameters"].items()} | parameters

    def value(self, of):
        match of:
            case {"Ref": name}:
                return str(self.values[name])
            case {"Fn::Join": [between, {"Ref": name}]}:
                return between.join(str(self.values[name]).split(","))
        return str(of)

    def holds(self, condition):
        match condition:
            case {"Condition": name}:
                return self.holds(self.template["Conditions"][name])
            case {"Fn::Equals": [one, other]}:
                return self.value(one) == self.value(other)
            case {"Fn::Contains": [items, one]}:
                return self.value(one) in [self.value(item) for item in items]
            case {"Fn::Not": [negated]}:
                return not self.holds(negated)
            case {"Fn::And": parts}:
                return all(self.holds(part) for part in parts)
            case {"Fn::Or": parts}:
                return any(self.holds(part) for part in parts)
        raise ValueError(f"no condition: {condition}")

    def chosen(self, part):
        """A part of the template with the branches that its conditions choose."""
        match part:
            case {"Fn::If": [condition, yes, no]}:
                return self.chosen(yes if self.holds({"Condition": condition}) else no)
            case dict():
                every = {key: self.chosen(value) for key, value in part.items()}
                return {key: value for key, value in every.items() if value != NOTHING}
            case list():
                return [value for value in map(self.chosen, part) if value != NOTHING]
        return part

    def resources(self, *kinds):
        """The resources of these types, or all, that are made."""
        for name, resource in self.template["Resources"].items():
            is_made = "Condition" not in resource or self.holds({"Condition": resource["Condition"]})
            if is_made and (not kinds or resource["Type"] in kinds):
                yield name, self.chosen(resource)

    def broken_rules(self):
        """What the rules say against these values."""
        for rule in self.template["Rules"].values():
            if "RuleCondition" not in rule or self.holds(rule["RuleCondition"]):
                yield from (it["AssertDescription"] for it in rule["Assertions"] if not self.holds(it["Assert"]))
