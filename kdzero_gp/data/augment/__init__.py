"""Views of images: the usual crop and flip, and strong augmentation."""
