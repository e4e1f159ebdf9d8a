// SPDX-License-Identifier: Apache-2.0
// Sections come as the HTML that the page itself is made of, escaped by the collector; each replaces the one of its id.
"use strict";
(() => {
	const live = document.getElementById("live");
	const lang = document.documentElement.lang;
	const source = new EventSource("events?lang=" + lang + "&since=" + document.body.dataset.state);
	const tell = (on) => {
		live.textContent = on ? live.dataset.on : live.dataset.off;
		live.classList.toggle("not_met", !on);
	};
	source.addEventListener("open", () => tell(true));
	source.addEventListener("error", () => tell(false));
	source.addEventListener("state", (event) => {
		for (const [id, html] of Object.entries(JSON.parse(event.data)))
			document.getElementById(id).innerHTML = html;
		document.body.dataset.state = event.lastEventId;
	});
})();
