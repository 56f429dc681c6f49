"""Files of a person with identifiers in every place that their formats have, each a word that is nowhere else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
from tests.ingest.readers.dicom_files import image, save

DICOM = {
    "PatientName": "Zqplantsurname^Zqplantgiven",
    "PatientID": "ZQMRN0001",
    "PatientBirthDate": "19511231",
    "PatientBirthName": "Zqmaidenname",
    "PatientMotherBirthName": "Zqmothername",
    "PatientAddress": "Zqstreet 17, Zqtown",
    "PatientTelephoneNumbers": "zq-555-0101",
    "OtherPatientNames": "Zqothername",
    "PatientComments": "zqcomment on the patient",
    "ReferringPhysicianName": "Zqreferrer^Ann",
    "PerformingPhysicianName": "Zqperformer^Bob",
    "OperatorsName": "Zqoperator^Cy",
    "NameOfPhysiciansReadingStudy": "Zqreading^Dee",
    "InstitutionName": "Zqhospital of Zqcity",
    "InstitutionAddress": "Zqhospital road 3",
    "InstitutionalDepartmentName": "Zqdepartment",
    "AccessionNumber": "ZQACC0002",
    "AdmissionID": "ZQADM0003",
    "StationName": "ZQSTATION4",
    "DeviceSerialNumber": "ZQSERIAL5",
    "StudyID": "ZQSTUDY6",
    "StudyDescription": "zqstudydescription",
    "SeriesDescription": "t1 mprage Zqplantsurname",
    "ProtocolName": "zqprotocol t1",
    "MedicalRecordLocator": "ZQLOC0007",
    "Occupation": "zqoccupation",
    "AdditionalPatientHistory": "zqhistory of headaches",
    "PatientReligiousPreference": "zqreligion",
    "MilitaryRank": "zqrank",
    "RequestingPhysician": "Zqrequester^Eve",
    "ImageComments": "zqimagecomment",
    "StudyDate": "20190417",
}
NIFTI = {"descrip": "Zqdescrip Zqniftiname", "aux_file": "zqauxname", "db_name": "zqdbname", "intent_name": "zqintent"}
SIDECAR = {
    "PatientName": "Zqsidecarname",
    "PatientID": "ZQSIDE0008",
    "PatientBirthDate": "1951-12-30",
    "InstitutionName": "Zqsidehospital",
    "StationName": "ZQSIDESTATION",
    "AcquisitionDateTime": "2019-04-17T10:11:12",
    "RepetitionTime": 2.0,
    "Manufacturer": "Siemens",
}
EXTENSION = {"PatientName": "Zqextensionname", "PatientID": "ZQEXT0009"}


def words() -> list[str]:
    """Every planted word, in small letters."""
    said = [*DICOM.values(), *NIFTI.values(), *map(str, SIDECAR.values()), *EXTENSION.values()]
    said += ["zqprivatevalue", "ZQPRIVATECREATOR", "zqoverlay", "zqpreamble"]
    parts = " ".join(said).replace("^", " ").replace(",", " ").lower().split()
    return sorted(
        {part for part in parts if ("zq" in part and len(part) > 5) or part in ("19511231", "1951-12-30", "20190417")}
    )


def dicom_series(folder: Path, slices: int = 6) -> np.ndarray:
    """A series whose every slice names its person in all elements, in a private one and in an overlay."""
    planes = []
    for index in range(slices):
        dataset = image(index + 1, 3.0 * index, **DICOM)
        block = dataset.private_block(0x0029, "ZQPRIVATECREATOR", create=True)
        block.add_new(0x10, "LO", "zqprivatevalue")
        dataset.add_new(0x60000022, "LO", "zqoverlay")
        dataset.preamble = b"zqpreamble".ljust(128, b"\0")
        save(folder / f"IM{index:04d}", dataset)
        planes.append(np.frombuffer(dataset.PixelData, np.uint16).reshape(dataset.Rows, dataset.Columns))
    return np.array(planes)


def nifti(path: Path, shape: tuple[int, int, int] = (20, 22, 18), size_mm: float = 8.0) -> Path:
    """A volume as large as a head, with words in all free fields of its header, an extension, and a sidecar beside."""
    head = nibabel.Nifti1Image(
        np.random.default_rng(0).integers(0, 900, shape).astype(np.int16), np.diag([size_mm] * 3 + [1])
    )
    for name, text in NIFTI.items():
        head.header[name] = text.encode()
    head.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", json.dumps(EXTENSION).encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(head.to_bytes()))
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps(SIDECAR))
    return path
