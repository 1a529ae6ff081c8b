"""What the browser tests ask of Label Studio's labelling page, as functions that run in it."""

# Every region is drawn as a Rect whose id begins with the region's id; a selected one has handles beside it.
DRAWN_JS = """
regionId => {
  const boxes = [];
  for (const stage of window.Konva?.stages ?? []) {
    const origin = stage.content.getBoundingClientRect();
    for (const rect of stage.find('Rect')) {
      if (!String(rect.id()).startsWith(regionId) || !rect.isVisible()) continue;
      const box = rect.getClientRect({skipStroke: true});
      boxes.push([origin.x + box.x, origin.y + box.y, origin.x + box.x + box.width, origin.y + box.y + box.height]);
    }
  }
  return boxes;
}
"""
REGIONS_JS = """
() => (window.Konva?.stages ?? []).flatMap(stage => stage.find('Rect'))
  .filter(rect => rect.isVisible() && rect.id()).map(rect => String(rect.id()))
"""
RED_JS = """
() => {
  const canvas = document.querySelector('.lsf-video-canvas canvas');
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let [x1, y1, x2, y2] = [Infinity, Infinity, -1, -1];
  for (let y = 0, k = 0; y < canvas.height; y++) for (let x = 0; x < canvas.width; x++, k += 4) {
    if (data[k] > 140 && data[k + 1] < 90 && data[k + 2] < 90) {
      x1 = Math.min(x1, x); x2 = Math.max(x2, x + 1); y1 = Math.min(y1, y); y2 = Math.max(y2, y + 1);
    }
  }
  const shown = canvas.getBoundingClientRect(), sx = shown.width / canvas.width, sy = shown.height / canvas.height;
  return x2 < 0 ? null : [shown.x + x1 * sx, shown.y + y1 * sy, shown.x + x2 * sx, shown.y + y2 * sy];
}
"""
SOUGHT_JS = "() => { const v = document.querySelector('video'); return v && !v.seeking && v.readyState >= 2 }"
# The frame counter says so, and the canvas shows the very picture that the video has now: pixel by pixel.
SETTLED_JS = """
frame => {
  const shown = document.querySelector('.lsf-frames-control')?.textContent ?? '';
  const video = document.querySelector('video'), canvas = document.querySelector('.lsf-video-canvas canvas');
  if (!shown.trim().startsWith(frame + ' ') || !canvas) return false;
  const {width, height} = canvas, [w, h] = [video.videoWidth, video.videoHeight];
  const zoom = Math.min(1, width / w, height / h), pen = new OffscreenCanvas(width, height).getContext('2d');
  pen.drawImage(video, 0, 0, w, h, (width - w * zoom) / 2, (height - h * zoom) / 2, w * zoom, h * zoom);
  const [wanted, there] = [pen, canvas.getContext('2d')].map(c => c.getImageData(0, 0, width, height).data);
  return wanted.every((value, k) => Math.abs(value - there[k]) < 8);
}
"""
DRAWN_AT_JS = """
([regionId, wanted]) => {
  const [box] = (DRAWN)(regionId);
  return box && box.every((edge, k) => Math.abs(edge - wanted[k]) < 1);
}
""".replace("DRAWN", DRAWN_JS.strip())
# Handles are drawn around what is selected.
SELECTED_JS = """
some => (window.Konva?.stages ?? [])
  .some(stage => stage.find('Transformer').some(handles => handles.isVisible() && handles.nodes().length)) === some
"""
# The answer's boxes are on the page: each region has as many keyframes as the answer gave it.
ANSWERED_JS = """
boxes => {
  const regions = window.Htx.annotationStore.selected.regionStore.regions;
  const has = (one, id, keyframes) => one.cleanId === id && one.sequence?.length === keyframes;
  return boxes.every(([id, keyframes]) => regions.some(one => has(one, id, keyframes)));
}
"""
GONE_JS = """
id => window.Htx.annotationStore.selected.regionStore.regions.every(region => region.cleanId !== id)
"""
KEPT_JS = "() => JSON.parse(localStorage.getItem('labelStudio:settings') ?? '{}').selectAfterCreate === true"
