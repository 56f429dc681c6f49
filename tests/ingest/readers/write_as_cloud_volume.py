"""Writes precomputed folders as cloud-volume does. Runs in the clients' environment, without Pulvinar.

python write_as_cloud_volume.py CASE FOLDER: `FOLDER.npz` has what the case needs ("voxels", ...); cases with
`key=value` words behind them give cloud-volume's own options as JSON.
"""

import json
import sys

import numpy as np


def write_volume(folder: str, given: dict, encoding: str = "raw", compress=None, **info) -> None:
    """One volume; `voxels` in (x, y, z, channel)."""
    from cloudvolume import CloudVolume

    voxels = given["voxels"]
    sharding = info.pop("sharding", None)
    told = CloudVolume.create_new_info(
        num_channels=voxels.shape[3],
        layer_type=info.pop("layer_type", "image"),
        data_type=voxels.dtype.name,
        encoding=encoding,
        resolution=info.pop("resolution", [400, 500, 2000]),
        voxel_offset=info.pop("voxel_offset", [0, 0, 0]),
        chunk_size=info.pop("chunk_size", [16, 16, 8]),
        volume_size=voxels.shape[:3],
        **info,
    )
    if sharding:
        told["scales"][0]["sharding"] = sharding
    volume = CloudVolume(f"file://{folder}", info=told, compress=compress, progress=False)
    volume.commit_info()
    if sharding:
        from cloudfiles import CloudFiles

        name, data = volume.image.make_shard(voxels, volume.bounds, 0)
        CloudFiles(f"file://{folder}/{told['scales'][0]['key']}").put(name, data, compress=None)
    else:
        volume[:, :, :] = voxels


def write_mesh(folder: str, given: dict, compress=None) -> None:
    """One legacy mesh of two fragments, beside a volume."""
    from cloudfiles import CloudFiles
    from cloudvolume import CloudVolume, Mesh

    told = CloudVolume.create_new_info(
        1, "segmentation", "uint64", "raw", [1, 1, 1], [0, 0, 0], [64, 64, 64], mesh="mesh"
    )
    volume = CloudVolume(f"file://{folder}", info=told, progress=False)
    volume.commit_info()
    files = CloudFiles(f"file://{folder}/mesh")
    names = []
    for part in ("first", "second"):
        mesh = Mesh(given[f"{part}_vertices"], given[f"{part}_faces"], segid=7)
        names.append(f"7:0:{part}")
        files.put(names[-1], mesh.to_precomputed(), compress=compress)
    files.put_json("7:0", {"fragments": names}, compress=compress)
    if compress is None:
        files.put_json("info", {"@type": "neuroglancer_legacy_mesh"})


def write_multilod(folder: str, given: dict, sharded: bool = False) -> None:
    """One mesh of two resolutions and several fragments, packed by Draco; coordinates within fragments are given."""
    import DracoPy
    from cloudfiles import CloudFiles
    from cloudvolume.datasource.precomputed.mesh.multilod import MultiLevelPrecomputedMeshManifest
    from cloudvolume.datasource.precomputed.sharding import ShardingSpecification, synthesize_shard_files

    info = {
        "@type": "neuroglancer_multilod_draco", "vertex_quantization_bits": 16, "lod_scale_multiplier": 1.0,
        "transform": given["transform"].tolist(),
    }  # fmt: skip

    def packed(number: int) -> bytes:
        vertices = given[f"vertices_{number}"].astype(np.uint32)
        return DracoPy.encode(
            vertices.astype(np.int32), given[f"faces_{number}"], quantization_bits=0, preserve_order=True
        )

    fine, coarse = [packed(0), b"", packed(1)], [packed(0)]
    manifest = MultiLevelPrecomputedMeshManifest(
        segment_id=7, chunk_shape=given["chunk"], grid_origin=given["origin"], num_lods=2, lod_scales=[1, 2],
        vertex_offsets=given["offsets"], num_fragments_per_lod=[3, 1],
        fragment_positions=[given["positions"], [[0, 0, 0]]],
        fragment_offsets=[len(part) for part in fine + coarse],
    )  # fmt: skip
    files = CloudFiles(f"file://{folder}")
    fragments = b"".join(fine + coarse)
    if not sharded:
        files.put("7.index", manifest.to_binary(), compress=None)
        files.put("7", fragments, compress=None)
    else:
        spec = ShardingSpecification(
            "neuroglancer_uint64_sharded_v1", preshift_bits=0, hash="murmurhash3_x86_128", minishard_bits=2,
            shard_bits=0, minishard_index_encoding="gzip", data_encoding="raw",
        )  # fmt: skip
        info["sharding"] = spec.to_dict()
        binary = manifest.to_binary()
        # the fragments lie right before the manifest, which alone is in the index
        for name, data in synthesize_shard_files(spec, {7: fragments + binary}, data_offset={7: len(binary)}).items():
            files.put(name, data, compress=None)
    files.put_json("info", info)


def write_skeletons(folder: str, given: dict, sharded: bool = False, compress=None) -> None:
    """Two skeletons of several nodes with their radii."""
    from cloudfiles import CloudFiles
    from cloudvolume import Skeleton
    from cloudvolume.datasource.precomputed.sharding import ShardingSpecification, synthesize_shard_files

    info = {"@type": "neuroglancer_skeletons", "transform": given["transform"].tolist()}
    info["vertex_attributes"] = [
        {"id": "radius", "data_type": "float32", "num_components": 1},
        {"id": "vertex_types", "data_type": "uint8", "num_components": 1},
    ]
    made = {}
    for segment in (5, 1 << 40):
        skeleton = Skeleton(
            given["places"], given["edges"], radii=given["radii"], vertex_types=given["types"], segid=segment,
            extra_attributes=info["vertex_attributes"],
        )  # fmt: skip
        made[segment] = skeleton.to_precomputed()
    files = CloudFiles(f"file://{folder}")
    if sharded:
        spec = ShardingSpecification(
            "neuroglancer_uint64_sharded_v1", preshift_bits=1, hash="murmurhash3_x86_128", minishard_bits=2,
            shard_bits=1, minishard_index_encoding="gzip", data_encoding="gzip",
        )  # fmt: skip
        info["sharding"] = spec.to_dict()
        for name, data in synthesize_shard_files(spec, made).items():
            files.put(name, data, compress=None)
    else:
        for segment, data in made.items():
            files.put(str(segment), data, compress=compress)
    files.put_json("info", info)


CASES = {"volume": write_volume, "mesh": write_mesh, "multilod": write_multilod, "skeletons": write_skeletons}

if __name__ == "__main__":
    case, target, *words = sys.argv[1:]
    options = {key: json.loads(value) for key, _, value in (word.partition("=") for word in words)}
    CASES[case](target, dict(np.load(f"{target}.npz")), **options)
