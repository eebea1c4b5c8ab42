"""HTTP: the board road, the JSON API and the page. Handlers parse, call one service, render."""
