// Draws each chart when it comes near the screen; until then its picture stands there.
const { charts, config } = JSON.parse(document.getElementById("charts").textContent);

const draw = async (place) => {
  const chart = charts[place.dataset.chart];
  const wide = place.clientWidth;
  const limits = {
    axisY: { labelLimit: Math.max(140, 0.3 * wide) },
    axisX: { labelLimit: (0.6 * wide) / (chart.usermeta?.columns || 1) },
  };
  const spec = { ...chart, width: "container", config: { ...config, ...limits } };
  const host = document.createElement("div");
  host.className = "live";
  const still = [...place.childNodes];
  place.append(host);
  place.classList.add("drawing");
  // "ast": no code is made from text, so the page may forbid it
  const options = { actions: false, renderer: "svg", ast: true, tooltip: { disableDefaultStyle: true } };
  try {
    await vegaEmbed(host, spec, options);
    still.forEach((node) => node.remove());
  } catch (error) {
    host.remove(); // the picture stays
    console.error(error);
  }
  place.classList.remove("drawing");
};

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      near.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "300px" });

document.querySelectorAll("[data-chart]").forEach((place) => near.observe(place));

// A phone has little room: what somebody may want to look up is folded.
if (matchMedia("(max-width: 40rem)").matches) {
  document.querySelectorAll("#ways details").forEach((each) => (each.open = false));
}

// On paper everything is unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.filter((each) => !each.closest(".recorded")).forEach((each) => (each.open = true));
});
addEventListener("afterprint", () => folded.forEach((each) => (each.open = false)));
