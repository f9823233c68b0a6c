"""Go templates: text/template and html/template, as Go has them."""
