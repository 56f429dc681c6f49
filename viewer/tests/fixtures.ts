import { readScene, type Scene } from "../src/scene";

/** A scene like the server's: two channels, labels and a neuron, oriented as NIfTI is. */
export function sampleScene(changes: Partial<Scene> = {}): Scene {
  const affine = [
    [500, 0, 0, -30000],
    [0, 500, 0, -57500],
    [0, 0, -400, 42000],
  ];
  const volume = { transform: affine, voxel_size_um: [500, 500, 400] };
  return readScene({
    title: "INIA19",
    layers: [
      { name: "T1", kind: "image", source: "zarr3:///data/d/a/chunks/", window: [0, 120], range: [0, 383], ...volume },
      { name: "T1", kind: "image", source: "zarr3:///data/d/a/chunks/", channel: 1, window: [10, 90], color: "64ff64", ...volume },
      { name: "NeuroMaps", kind: "labels", source: "zarr3:///data/d/b/chunks/", opacity: 0.35, names: "/data/d/b/objects/segments", ...volume },
      { name: "cell", kind: "skeleton", source: "precomputed:///data/d/c/objects/precomputed", segments: ["1"], color: "6FD0C0" },
    ],
    voxel_size_um: [500, 500, 400],
    position_um: [1750, -6250, -250],
    bounds_um: [[-30250, -57750, -42250], [33750, 45250, 41750]],
    oriented: true,
    attribution: "CC-BY-4.0",
    ...changes,
  });
}
