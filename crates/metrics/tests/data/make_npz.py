"""Writes the .npz archives beside this file: pip install numpy."""
import io
import zipfile
import numpy as np

mu = np.array([0.125, -0.25, 3.0])
sigma = np.outer(np.arange(3), np.arange(3)) / 8
# As pytorch-fid's --save-stats does.
np.savez_compressed("pytorch_fid.npz", mu=mu, sigma=sigma)
np.savez("f4_fortran.npz", mu=mu.astype("<f4"), sigma=np.asfortranarray(sigma.astype("<f4")))
np.savez("counted.npz", mu=mu, sigma=sigma, n=np.int64(50))
np.savez("no_sigma.npz", mu=mu)
np.savez("flat.npz", mu=mu, sigma=sigma.reshape(-1))
np.savez("big_endian.npz", mu=mu, sigma=sigma.astype(">f8"))
with zipfile.ZipFile("version_2_and_3.npz", "w") as archive:
    for name, array, version in (("mu", mu, (2, 0)), ("sigma", sigma, (3, 0))):
        file = io.BytesIO()
        np.lib.format.write_array(file, array, version=version)
        archive.writestr(f"{name}.npy", file.getvalue())
